"""From where an expert wants the hand to be to an action of the pinned controller."""

from __future__ import annotations

import numpy as np

from mmil.contracts import State

OPEN, CLOSED = -1.0, 1.0
METRES, RADIANS = 0.05, 0.5  # what an action of 1 asks for (OSC_POSE's output_max)
GAIN = 1.0
HASTE = 1.6  # of a stride, where it is to be done quickly
OVER, TURNED = 0.010, 0.2  # [m] beside its place, [rad] off its turn: a hand goes all the way down
SLOPE, TWIST = 0.02, 0.6  # [m], [rad] more than that: it stays all the way up


def move(state: State, offset: np.ndarray, *, yaw: float | None, gripper: float, gain: float = GAIN) -> np.ndarray:
    """float32 (7,): move by `offset` [m], keep the hand upright, turn it by `yaw` [rad] (None: as it is)."""
    turn = upright(state.eef_rotation)
    turn[2] += yaw or 0.0
    action = np.concatenate([gain * offset / METRES, gain * turn / RADIANS])
    return np.append(np.clip(action, -1.0, 1.0), gripper).astype(np.float32)


def stride(state: State, usual: float) -> float:
    """[m], of a step that moves something: longer where it is to be done quickly."""
    return HASTE * usual if state.goal.manner == "quickly" else usual


def funnel(sideways: float, yaw: float, *, low: float, high: float) -> float:
    """[m], the height of a hand that goes down beside a thing: `low` over its place and turned, else higher.

    A threshold in its place would give two answers to a policy that sees to a centimetre, and it would stand still.
    """
    missing = max(0.0, sideways - OVER) / SLOPE + max(0.0, abs(yaw) - TURNED) / TWIST
    return low + (high - low) * min(1.0, missing)


def to_next_left(state: State, *, under: float = 0.0) -> np.ndarray:
    """float64 (3,) [m], level: from the hand to the point of the goal's dirt that is wiped next.

    The nearest, where each metre under the palm counts for `under` metres less: with 1 those that it hides go first,
    and what is left lies before the fingers, where a policy sees it too.
    """
    dirt = state.body(state.goal.object)
    left = dirt.points if len(dirt.points) else dirt.position[None]
    offsets = left[:, :2] - state.eef_position[:2]
    behind = np.maximum(0.0, -offsets @ state.eef_rotation[:2, 1])  # the wrist camera looks from where y points
    return np.append(offsets[np.argmin(np.linalg.norm(offsets, axis=1) - under * behind)], 0.0)


def upright(rotation: np.ndarray) -> np.ndarray:
    """float64 (3,) rotation vector [rad], world, that points the hand's z axis straight down."""
    down = np.array([0.0, 0.0, -1.0])
    axis = np.cross(rotation[:, 2], down)
    sine, cosine = float(np.linalg.norm(axis)), float(rotation[:, 2] @ down)
    return axis * (np.arctan2(sine, cosine) / sine if sine > 1e-9 else 0.0)
