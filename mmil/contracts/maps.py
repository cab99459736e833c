"""What a camera may measure beside colours: depth and segmentation, pixel for pixel with its picture, row 0 on top.

A map is named <camera>.<kind>:
depth           uint16 [mm] along the optical axis (not along the ray), rounded to the nearest; 0 where nothing is, or
                nothing nearer than 65.535 m
segmentation    uint8, what the pixel shows: 0 background (table, floor, walls), 1 … N the things of the episode in
                their order, ROBOT the robot with its hand
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from mmil.contracts.errors import UserError, require_known

Stream = Literal["depth", "segmentation"]
STREAMS: Mapping[str, np.dtype] = MappingProxyType({"depth": np.dtype(np.uint16), "segmentation": np.dtype(np.uint8)})
MEANING: Mapping[str, str] = MappingProxyType(  # for Spec.conventions
    {
        "depth": "uint16 mm along the optical axis, to the nearest; 0: nothing within 65.535 m",
        "segmentation": "uint8: 0 background, 1 to N the things in their order, 255 the robot",
    }
)
DEEPEST = 65_535  # [mm]
ROBOT = 255
MOST_THINGS = ROBOT - 1


def map_name(camera: str, stream: str) -> str:
    return f"{camera}.{stream}"


def camera_of(name: str) -> str:
    """The camera whose map `name` is."""
    return name.partition(".")[0]


def stream_of(name: str) -> str:
    """depth or segmentation."""
    return name.partition(".")[2]


def map_dtype(name: str) -> np.dtype:
    return STREAMS[stream_of(name)]


def millimetres(metres: np.ndarray) -> np.ndarray:
    """Depth as maps have it, of depth in metres; 0 also for what is no distance at all."""
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = np.rint(metres * 1000.0)
    return np.where((rounded > 0) & (rounded <= DEEPEST), rounded, 0).astype(np.uint16)


def metres(depth: np.ndarray) -> np.ndarray:
    """float32 [m] of depth as maps have it; 0 where nothing is."""
    return depth.astype(np.float32) / np.float32(1000.0)


def require_streams(streams: Iterable[str]) -> tuple[str, ...]:
    """Those asked for, in a fixed order; each must exist."""
    asked = set(streams)
    require_known("stream", asked, STREAMS)
    return tuple(stream for stream in STREAMS if stream in asked)


def read_maps(told: Mapping[str, Any], cameras: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, int]]:
    """name → (h, w) as a Spec has them; refused where a map is of no camera, of no stream, or of another size."""
    maps = {}
    for name, size in told.items():
        camera = camera_of(name)
        if camera not in cameras or stream_of(name) not in STREAMS or tuple(size) != tuple(cameras[camera][:2]):
            raise UserError(
                f"not a Spec: the map {name!r:.60} {size} is not <camera>.<{' or '.join(STREAMS)}> of its camera's size"
            )
        maps[name] = (int(size[0]), int(size[1]))
    return maps
