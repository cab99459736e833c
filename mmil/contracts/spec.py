"""What every observation and action of a data set looks like."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmil.contracts.errors import UserError
from mmil.contracts.maps import read_maps, stream_of


@dataclass(frozen=True)
class Spec:
    """What every observation and action of a data set looks like; written to it and into every checkpoint."""

    scene: str
    cameras: Mapping[str, tuple[int, int, int]]  # name → (h, w, 3), uint8 RGB, row 0 on top
    signals: Mapping[str, tuple[int, ...]]  # name → shape, float32, physical units
    action: tuple[str, ...]  # a name an axis, each in [−1, 1]
    control_hz: float
    controller: Mapping[str, Any]  # name and sha256 of the pinned json
    conventions: Mapping[str, str]
    privileged: Mapping[str, tuple[int, ...]] = field(
        default_factory=dict
    )  # as signals; lessons may read it, not policies
    versions: Mapping[str, str] = field(default_factory=dict)  # of packages, and `model`: differences are told only
    maps: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # <camera>.<stream> → (h, w), see maps.py

    def to_json(self) -> dict[str, Any]:
        told = json.loads(json.dumps(dataclasses.asdict(self)))
        return {name: value for name, value in told.items() if name != "maps" or value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        known = {item.name for item in dataclasses.fields(cls)}
        missing, unknown = sorted(known - {"privileged", "versions", "maps"} - set(data)), sorted(set(data) - known)
        if missing or unknown:
            raise UserError(f"not a Spec: missing {missing}, unknown {unknown}")
        cameras = {name: tuple(shape) for name, shape in data["cameras"].items()}
        return cls(
            scene=data["scene"],
            cameras=cameras,
            signals={name: tuple(shape) for name, shape in data["signals"].items()},
            action=tuple(data["action"]),
            control_hz=data["control_hz"],
            controller=dict(data["controller"]),
            conventions=dict(data["conventions"]),
            privileged={name: tuple(shape) for name, shape in (data.get("privileged") or {}).items()},
            versions=dict(data.get("versions") or {}),
            maps=read_maps(data.get("maps") or {}, cameras),
        )

    @property
    def has_depth(self) -> bool:
        return any(stream_of(name) == "depth" for name in self.maps)

    @property
    def provenance(self) -> dict[str, str]:
        """What simulates: versions of packages, the sha256 of the compiled `model` and of the `controller`."""
        return {**self.versions, "controller": str(self.controller.get("sha256", ""))}

    def differences(self, other: Spec | Mapping[str, Any]) -> list[str]:
        """One line a field in which the two disagree; versions do not count, nor what a part of a Spec does not say."""
        whole = isinstance(other, Spec)
        told = other.to_json() if isinstance(other, Spec) else json.loads(json.dumps(dict(other)))
        mine = flattened({name: value for name, value in self.to_json().items() if whole or name in told})
        theirs, absent = flattened(told), "(absent)"
        keys = sorted(key for key in mine.keys() | theirs.keys() if not key.startswith("versions."))
        return [
            f"{key}: {mine.get(key, absent)} != {theirs.get(key, absent)}"
            for key in keys
            if mine.get(key, absent) != theirs.get(key, absent)
        ]

    def require(self, other: Spec, *, mine: str, theirs: str) -> None:
        """Raise UserError with the lines that differ unless the two agree."""
        lines = self.differences(other)
        if lines:
            raise UserError(f"{mine} and {theirs} disagree: " + "; ".join(lines))


def flattened(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one: dotted name → leaf."""
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat.update(flattened(item, f"{prefix}.{key}" if prefix else key))
    return flat
