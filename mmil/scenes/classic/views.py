"""Where the cameras of robosuite's tasks stand: drawn as tabletop's are, around a view of each task's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from mmil.scenes.cameras import LOOK_AT, draw_standing, draw_wrist
from mmil.scenes.dressing import wrist_mount
from mmil.scenes.randomize import Randomisation

NAMES = {"front": "agentview", "wrist": "robot0_eye_in_hand"}  # ours → robosuite's


@dataclass(frozen=True)
class View:
    """What the front camera sees unless it is moved: from azimuth 0 it looks along −x, and down."""

    look_at: tuple[float, float, float]  # [m], world
    distance: float  # [m]
    azimuth: float = 0.0  # [deg]
    elevation: float = 38.0  # [deg]
    fovy: float = 43.0  # [deg]

    def draw(self, rng: np.random.Generator, randomisation: Randomisation) -> dict[str, Any]:
        """Poses and fields of view of both cameras, as JSON values."""
        nominal = {name: getattr(self, name) for name in ("azimuth", "elevation", "distance", "fovy")}
        about = {"band": randomisation.cameras}
        front = draw_standing(rng, randomisation.bands, **about, nominal=nominal)
        for name in ("position", "look_at"):  # it was turned to the middle of another table
            front[name] = (np.array(front[name]) - LOOK_AT + self.look_at).tolist()
        return {"front": front, "wrist": draw_wrist(rng, randomisation.bands, **about)}


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
