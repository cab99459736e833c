"""From where an expert wants the hand to be to an action, for an arm that has to stretch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmil.contracts import State
from mmil.experts.classic.rotations import between
from mmil.experts.motion import METRES, RADIANS

EASY, FAR = 0.66, 0.80  # [m], from the arm's base: up to there the hand is upright; from there on it leans
LEAN = 0.35  # [rad], outward: the wrist stays nearer, so that the elbow does not lock
FIRM = 3.0  # where the arm is stretched, its controller gives way to a small error


@dataclass(frozen=True)
class Reach:
    """A Panda that stands at `base` [m], world x and y."""

    base: tuple[float, float]

    def move(self, state: State, offset: np.ndarray, *, yaw: float | None, gripper: float) -> np.ndarray:
        """float32 (7,): move by `offset` [m], turn by `yaw` [rad] about the vertical (None: as it is)."""
        away = state.eef_position[:2] - np.array(self.base)
        far = float(np.linalg.norm(away))
        lean = LEAN * np.clip((far - EASY) / (FAR - EASY), 0.0, 1.0)
        turn = between(state.eef_rotation[:, 2], np.array([*(np.sin(lean) * away / far), -np.cos(lean)]))
        turn[2] += yaw or 0.0
        return toward(FIRM * offset, turn, gripper=gripper)


def toward(offset: np.ndarray, turn: np.ndarray, *, gripper: float) -> np.ndarray:
    """float32 (7,): an offset [m] and a rotation vector [rad] as an action."""
    action = np.concatenate([offset / METRES, turn / RADIANS])
    return np.append(np.clip(action, -1.0, 1.0), gripper).astype(np.float32)
