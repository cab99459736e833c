"""Drawn cameras in a compiled model: those that stand, and the one in the hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

WRIST = "wrist"
WRIST_POSITION, WRIST_LEAN = np.array([0.095, 0.0, 0.0]), -np.radians(30.0)  # [m], [rad]


class Viewpoints:
    """Writes drawn poses and fields of view into a model, whose cameras have these numbers."""

    def __init__(self, model: mujoco.MjModel, numbers: Mapping[str, int]) -> None:
        self._model, self._numbers = model, dict(numbers)
        self._home = _wrist_mount(model.cam_quat[numbers[WRIST]].copy())

    def apply(self, draws: Mapping[str, Mapping[str, Any]]) -> None:
        for name, number in self._numbers.items():
            drawn = draws[name]
            place = self._in_hand(drawn) if name == WRIST else (drawn["position"], drawn["quaternion_wxyz"])
            self._model.cam_pos[number], self._model.cam_quat[number] = place
            self._model.cam_fovy[number] = drawn["fovy"]

    def _in_hand(self, drawn: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Position [m] and quaternion wxyz in the hand's frame."""
        tilt, turned, quaternion = np.radians(drawn["tilt"]), np.empty(4), np.empty(4)
        angle = float(np.linalg.norm(tilt))
        mujoco.mju_axisAngle2Quat(turned, tilt / angle if angle else np.array([0.0, 0.0, 1.0]), angle)
        position, home = self._home
        mujoco.mju_mulQuat(quaternion, home, turned)
        return position + drawn["offset"], quaternion


def _wrist_mount(stock: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position [m] and quaternion wxyz in the hand's frame: in front of it, tilted so that the finger tips show.

    Where robosuite mounts its eye-in-hand camera (`stock` quaternion), the hand hides what is between the fingers.
    """
    lean, mounted = np.empty(4), np.empty(4)
    mujoco.mju_axisAngle2Quat(lean, np.array([1.0, 0.0, 0.0]), WRIST_LEAN)
    mujoco.mju_mulQuat(mounted, stock, lean)
    return WRIST_POSITION, mounted
