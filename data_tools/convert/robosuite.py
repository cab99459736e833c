"""What the env_args of a robomimic or LIBERO file say: control rate, controller, and what the actions mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data_tools.convert.hdf5 import table
from mmil.contracts import UserError

ROBOSUITE = 1  # robomimic's EnvType.ROBOSUITE_TYPE
AXES = {
    "OSC_POSE": ("dx", "dy", "dz", "rx", "ry", "rz", "gripper"),
    "OSC_POSITION": ("dx", "dy", "dz", "gripper"),
}
# robosuite's grippers: models/grippers/*.py, format_action; its rotations: utils/transform_utils.py
GRIPPER = "gripper -1 open, +1 closed"
QUATERNION = "xyzw, any sign"
_ORDER = {"opengl": "bottom", "opencv": "top"}  # robosuite's macros.IMAGE_CONVENTION → where row 0 is


@dataclass(frozen=True)
class Environment:
    """The part of env_args that says how the robot was driven."""

    name: str
    kind: int | None
    kwargs: Mapping[str, Any]
    version: str | None

    @classmethod
    def of(cls, attributes: Mapping[str, Any], path: str) -> Environment:
        """Of the attributes of a file's data group; an empty one where they say nothing."""
        if "env_args" not in attributes:
            return cls(str(attributes.get("env_name", "")), None, {}, None)
        args = table(attributes["env_args"], f"{path}: the attribute env_args of data")
        kwargs = args.get("env_kwargs", {})
        if not isinstance(kwargs, dict):
            raise UserError(f"{path}: env_kwargs in env_args is a {type(kwargs).__name__}, not an object")
        kind = args.get("type") if isinstance(args.get("type"), int) else None
        return cls(str(args.get("env_name", "")), kind, kwargs, args.get("env_version"))

    @property
    def simulated(self) -> bool:
        """Whether robosuite made it, so that robosuite's names and conventions hold."""
        return self.kind == ROBOSUITE

    @property
    def control_hz(self) -> float | None:
        rate = self.kwargs.get("control_freq")
        return float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) else None

    @property
    def language(self) -> str | None:
        said = self.kwargs.get("env_lang")
        return said if isinstance(said, str) else None

    @property
    def arm(self) -> Mapping[str, Any]:
        """The controller of the one arm, of robosuite 1.4 or 1.5; {} where there is none, or more than one."""
        config = self.kwargs.get("controller_configs")
        config = config[0] if isinstance(config, list) and len(config) == 1 else config
        if not isinstance(config, dict):
            return {}
        parts = config.get("body_parts")
        if isinstance(parts, dict):
            arms = parts.get("arms", parts)
            right = arms.get("right") if isinstance(arms, dict) else None
            return right if isinstance(right, dict) else {}
        return config if "type" in config else {}

    @property
    def axes(self) -> tuple[str, ...] | None:
        return AXES.get(str(self.arm.get("type")))

    @property
    def controller(self) -> dict[str, Any]:
        """For Spec.controller."""
        if not self.arm:
            return {"name": "unknown"}
        text = json.dumps(self.arm, sort_keys=True).encode()
        return {"name": str(self.arm["type"]), "sha256": hashlib.sha256(text).hexdigest()}

    @property
    def conventions(self) -> dict[str, str]:
        """What robosuite's controllers and observables mean, as far as the file says how they were set up."""
        if not self.simulated:
            return {}
        said = {"quaternion": QUATERNION}
        arm, delta = self.arm, self._delta
        if "type" in arm and delta is not None:
            frame = f" in the {arm['input_ref_frame']} frame" if "input_ref_frame" in arm else ""
            said["action"] = f"{arm['type']} {'delta' if delta else 'absolute'}{frame}{self._scale}; {GRIPPER}"
        return said

    @property
    def _delta(self) -> bool | None:
        if self.arm.get("input_type") in ("delta", "absolute"):
            return self.arm["input_type"] == "delta"
        said = self.arm.get("control_delta")
        return said if isinstance(said, bool) else None

    @property
    def _scale(self) -> str:
        most = self.arm.get("output_max")
        if self.arm.get("type") == "OSC_POSE" and isinstance(most, list) and len(most) == 6 and self._delta:
            return f", 1 = {most[0]:g} m / {most[3]:g} rad"
        return f", 1 = {most}" if most is not None and self._delta else ""


def row0(attributes: Mapping[str, Any]) -> str | None:
    """Where row 0 of the pictures is, where the file says which convention robosuite rendered with."""
    return _ORDER.get(str(attributes.get("macros_image_convention")))
