"""Where the cameras of robosuite's tasks stand: drawn around a nominal view of each task, as tabletop's are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from mmil.scenes.dressing import wrist_mount
from mmil.scenes.randomize import HELD_OUT_REACH, WRIST_FOVY, Band, orbit

NAMES = {"front": "agentview", "wrist": "robot0_eye_in_hand"}  # ours → robosuite's
# half widths: azimuth, elevation, roll and field of view [deg], distance [m], look-at point [m]
FRONT = np.array([14.0, 5.0, 2.0, 3.0, 0.06, 0.025, 0.025, 0.025])
WRIST = np.array([0.006] * 3 + [2.5] * 3 + [3.0])  # offset [m], tilt and field of view [deg]


@dataclass(frozen=True)
class View:
    """What the front camera sees unless it is moved: from azimuth 0 it looks along −x, and down."""

    look_at: tuple[float, float, float]  # [m], world
    distance: float  # [m]
    azimuth: float = 0.0  # [deg]
    elevation: float = 38.0  # [deg]
    fovy: float = 43.0  # [deg]


def draw_views(rng: np.random.Generator, view: View, band: Band) -> dict[str, Any]:
    """Poses and fields of view of both cameras, as JSON values."""
    azimuth, elevation, roll, fovy, distance, *shift = FRONT * _units(rng, 8, band)
    target = np.array(view.look_at) + shift
    angles = {"azimuth": view.azimuth + azimuth, "elevation": view.elevation + elevation, "roll": roll}
    position, quaternion = orbit(target, **angles, distance=view.distance + distance)
    units = WRIST * _units(rng, 7, band)
    return {
        "front": {
            "band": band,
            "position": position.tolist(),
            "quaternion_wxyz": quaternion.tolist(),
            "fovy": view.fovy + fovy,
            "look_at": target.tolist(),
            "distance": view.distance + distance,
            **{name: float(value) for name, value in angles.items()},
        },
        "wrist": {
            "band": band,
            "offset": units[:3].tolist(),
            "tilt": units[3:6].tolist(),
            "fovy": WRIST_FOVY + units[6],
        },
    }


class Cameras:
    """Writes drawn views into a compiled model."""

    def __init__(self, model: mujoco.MjModel, numbers: Mapping[str, int]) -> None:
        self._model, self._numbers = model, numbers
        self._home = wrist_mount(model.cam_quat[numbers["wrist"]].copy())

    def apply(self, draws: Mapping[str, Any]) -> None:
        model, front, wrist = self._model, self._numbers["front"], self._numbers["wrist"]
        model.cam_pos[front], model.cam_quat[front] = draws["front"]["position"], draws["front"]["quaternion_wxyz"]
        tilt, turned = np.radians(draws["wrist"]["tilt"]), np.empty(4)
        angle = float(np.linalg.norm(tilt))
        mujoco.mju_axisAngle2Quat(turned, tilt / angle if angle else np.array([0.0, 0.0, 1.0]), angle)
        position, quaternion = self._home
        model.cam_pos[wrist] = position + draws["wrist"]["offset"]
        mujoco.mju_mulQuat(model.cam_quat[wrist], quaternion, turned)
        model.cam_fovy[front], model.cam_fovy[wrist] = draws["front"]["fovy"], draws["wrist"]["fovy"]


def _units(rng: np.random.Generator, count: int, band: Band) -> np.ndarray:
    # drawn whatever the band, so that the band changes the camera and nothing after it
    u, sign = rng.uniform(0, 1, count), rng.choice([-1.0, 1.0], count)
    if band == "held_out":
        return sign * (1 + (HELD_OUT_REACH - 1) * (1 - u))
    return sign * u * (band == "train")
