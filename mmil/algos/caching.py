"""Features of the frozen vision encoder, kept on disk beside the data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mmil.contracts import UserError, metres
from mmil.data.cache import Encode, write_features
from mmil.data.module import WindowData
from mmil.data.sentences import number
from mmil.encoders.depth import GRID, on_grid
from mmil.encoders.vision import TimmVision
from mmil.policy import Policy


def read_from_cache(windows: WindowData, policy: Policy, *, precision: str) -> None:
    """Have the windows read, in place of pictures, features under the encoder's hash and its precision; and made so."""
    vision = policy.vision
    if not vision.frozen:
        raise UserError(
            "cache: true needs frozen vision; set frozen: true and tuned_stages: 0, or cache: false to tune it"
        )
    half, every = precision.startswith("bf16"), 1 if policy.past > 1 else windows.cut.stride
    fingerprint = {**vision.fingerprint(), "precision": "bf16" if half else "fp32"}
    parts = [fingerprint["sha256"][:12], *map(str, vision.stages), fingerprint["precision"], f"every{every}"]
    if windows.maps:
        fingerprint["depth"] = GRID
        parts.append("depth")
    if windows.views.count > 1:
        parts.append(f"views{windows.views.count}-{number(json.dumps(windows.views.about)):016x}")
    suffix = f"features-{'-'.join(parts)}"
    places = {path: path.with_name(f"{path.name}.{suffix}") for path in windows.paths}
    kept: dict[str, Any] = {"every": every, "views": windows.views, "maps": windows.maps, "fingerprint": fingerprint}
    windows.read_from(list(places.values()), make=partial(_write, places, partial(_encode, vision, half=half), kept))


def _write(places: Mapping[Path, Path], encode: Encode, kept: Mapping[str, Any]) -> None:
    for path, place in places.items():
        write_features(path, place, encode, **kept)


def _encode(vision: TimmVision, name: str, frames: Any, *, half: bool) -> list[Any]:
    if name not in vision.cameras:
        return [on_grid(torch.from_numpy(metres(frames))[:, None]).half().numpy()]
    images = torch.from_numpy(frames).permute(0, 3, 1, 2)
    with torch.autocast(images.device.type, torch.bfloat16, enabled=half):  # a third of the time
        return [stage.contiguous().numpy() for stage in vision.encode(images)]
