"""From where an expert wants the hand to be to an action, for an arm that has to stretch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmil.contracts import State
from mmil.experts.motion import METRES, RADIANS

EASY, FAR = 0.66, 0.80  # [m], from the arm's base: up to there the hand is upright; from there on it leans
LEAN = 0.35  # [rad], outward: the wrist stays nearer, so that the elbow does not lock


@dataclass(frozen=True)
class Reach:
    """A Panda that stands at `base` [m], world x and y."""

    base: tuple[float, float]

    def move(self, state: State, offset: np.ndarray, *, yaw: float | None, gripper: float) -> np.ndarray:
        """float32 (7,): move by `offset` [m], turn by `yaw` [rad] about the vertical (None: as it is)."""
        away = state.eef_position[:2] - np.array(self.base)
        far = float(np.linalg.norm(away))
        lean = LEAN * np.clip((far - EASY) / (FAR - EASY), 0.0, 1.0)
        pointing = np.array([*(np.sin(lean) * away / far), -np.cos(lean)])
        turn = shortest_turn(state.eef_rotation[:, 2], pointing)
        turn[2] += yaw or 0.0
        action = np.concatenate([offset / METRES, turn / RADIANS])
        return np.append(np.clip(action, -1.0, 1.0), gripper).astype(np.float32)


def shortest_turn(now: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(3,) rotation vector [rad] from one direction to the other."""
    axis = np.cross(now, wanted)
    sine, cosine = float(np.linalg.norm(axis)), float(now @ wanted)
    return axis * (np.arctan2(sine, cosine) / sine if sine > 1e-9 else 0.0)
