"""Cameras put where a person wants them, in the words in which they are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmil.contracts import UserError
from mmil.scenes.cameras import orbit

DERIVED = ("band", "quaternion_wxyz")  # follow from the others


def posed(camera: str, drawn: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The draws of a camera with what is `given` in place of what was drawn; what follows from it follows.

    A camera that stands takes azimuth, elevation, roll, fovy [deg], distance, look_at [m], or a position [m] instead of
    the angles and the distance; one in the hand takes offset [m], tilt and fovy [deg].
    """
    _require(camera, drawn, given)
    pose = {**drawn, **given, "band": "given"}
    if "look_at" not in drawn:
        return pose
    target = np.array(pose["look_at"], float)
    if "position" in given:
        pose |= _around(camera, np.array(given["position"], float) - target)
    angles = {name: float(pose[name]) for name in ("azimuth", "elevation", "distance", "roll")}
    position, quaternion = orbit(target, **angles)
    return {**pose, "position": position.tolist(), "quaternion_wxyz": quaternion.tolist()}


def _around(camera: str, offset: np.ndarray) -> dict[str, float]:
    """Azimuth, elevation [deg] and distance [m] of a camera that stands `offset` from what it looks at."""
    distance = float(np.linalg.norm(offset))
    if not distance:
        raise UserError(f"camera {camera} stands where it looks at; move its position or its look_at")
    azimuth, elevation = np.degrees([np.arctan2(offset[1], offset[0]), np.arcsin(offset[2] / distance)])
    return {"azimuth": float(azimuth), "elevation": float(elevation), "distance": distance}


def _require(camera: str, drawn: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    known = [name for name in drawn if name not in DERIVED]
    if not isinstance(given, Mapping):
        raise UserError(f"camera {camera} is {given!r}, expected some of {', '.join(known)}")
    for name, value in given.items():
        if name not in known:
            raise UserError(f"no {name!r} for camera {camera}; there are {', '.join(known)}")
        try:
            numbers = np.asarray(value, float)
        except (TypeError, ValueError):
            numbers = np.array(np.nan)
        if numbers.shape != np.shape(drawn[name]) or not np.isfinite(numbers).all():
            raise UserError(f"{name} of camera {camera} is {value!r}, expected something like {drawn[name]}")
    if not 1 <= given.get("fovy", 45) <= 170 or given.get("distance", 1) <= 0:
        raise UserError(f"camera {camera} needs a fovy of 1 to 170 degrees and a distance above 0, got {dict(given)}")
