"""From where an expert wants the hand to be to an action of the pinned controller."""

from __future__ import annotations

import numpy as np

from mmil.contracts import State

OPEN, CLOSED = -1.0, 1.0
METRES, RADIANS = 0.05, 0.5  # what an action of 1 asks for (OSC_POSE's output_max)
GAIN = 1.0


def move(state: State, offset: np.ndarray, *, yaw: float | None, gripper: float, gain: float = GAIN) -> np.ndarray:
    """float32 (7,): move by `offset` [m], keep the hand upright, turn it by `yaw` [rad] (None: as it is)."""
    turn = upright(state.eef_rotation)
    turn[2] += yaw or 0.0
    action = np.concatenate([gain * offset / METRES, gain * turn / RADIANS])
    return np.append(np.clip(action, -1.0, 1.0), gripper).astype(np.float32)


def to_nearest_left(state: State) -> np.ndarray:
    """float64 (3,) [m], level: from the hand to the nearest point of the goal's dirt that is not wiped yet."""
    dirt = state.body(state.goal.object)
    left = dirt.points if len(dirt.points) else dirt.position[None]
    offsets = left[:, :2] - state.eef_position[:2]
    return np.append(offsets[np.argmin(np.linalg.norm(offsets, axis=1))], 0.0)


def upright(rotation: np.ndarray) -> np.ndarray:
    """float64 (3,) rotation vector [rad], world, that points the hand's z axis straight down."""
    down = np.array([0.0, 0.0, -1.0])
    axis = np.cross(rotation[:, 2], down)
    sine, cosine = float(np.linalg.norm(axis)), float(rotation[:, 2] @ down)
    return axis * (np.arctan2(sine, cosine) / sine if sine > 1e-9 else 0.0)
