"""How a hand takes a thing among others: from where nothing is in its way, and down a funnel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmil.contracts import Body, State
from mmil.experts.classic.reach import Reach
from mmil.experts.classic.rotations import level, shortest
from mmil.experts.motion import CLOSED, OPEN

NEAR, STILL_NEAR = 0.012, 0.018  # [m], sideways and vertically: close the hand; a hand that is closing goes on
FUNNEL, STEEP = 0.010, 2.5  # [m], sideways error below which a hand goes all the way down; height an error costs
TURNED, TWIST = 0.15, 0.08  # [rad] well enough turned; [m/rad] height that a worse turn costs
HOVER = 0.09  # [m], highest approach
EMPTY = 0.012  # [m], narrower than anything: a closed hand that holds nothing
LEAP = 0.15  # of the way sideways, where it has to go up first
BLOCKED = 200.0  # [rad/m], the turn that it is worth not to meet another thing
MARGIN = 0.008  # [m], around other things
# [m], an open hand: points along the pads' axis and across it, and how high over the finger tips' middle it begins
FINGERS = [(x, y, -0.02) for x in (-0.062, -0.045, 0.045, 0.062) for y in (-0.010, 0.010)]
PALM = [(x, y, 0.030) for x in np.linspace(-0.10, 0.10, 9) for y in (-0.03, 0.0, 0.03)]
HAND = np.array(FINGERS + PALM)


@dataclass(frozen=True)
class Grasp:
    """Where a hand takes a thing, and how far it has to turn for that."""

    point: np.ndarray  # (3,) [m], world
    turn: float  # [rad], about the vertical


Yaws = Sequence[tuple[float, float]]  # [rad], axes along which the pads may close, and what turn each is worse by


def choose(point: np.ndarray, yaws: Yaws, state: State, *, others: Sequence[Body]) -> Grasp:
    """The yaw at which nothing is in the hand's way, and of those the one that takes the least turn."""
    turns = [shortest(yaw - hand_yaw(state), np.pi) for yaw, _ in yaws]
    costs = [
        abs(turn) + worse + BLOCKED * blocked(point, yaw, others)
        for turn, (yaw, worse) in zip(turns, yaws, strict=True)
    ]
    return Grasp(point, turns[int(np.argmin(costs))])


def take(state: State, grasp: Grasp, *, held: bool, reach: Reach, ceiling: float) -> np.ndarray:
    """float32 (7,): over the thing, not lower than `ceiling` [m] on the way, down a funnel, and close."""
    offset = grasp.point - state.eef_position
    closed = state.gripper_command > 0
    if closed and not held and state.gripper_width < EMPTY:
        return reach.move(state, np.array([0.0, 0.0, HOVER]), yaw=grasp.turn, gripper=OPEN)
    sideways, vertical = float(np.linalg.norm(offset[:2])), abs(float(offset[2]))
    near = STILL_NEAR if closed else NEAR
    if sideways < near and vertical < near and (closed or abs(grasp.turn) < TURNED):
        return reach.move(state, offset, yaw=None, gripper=CLOSED)
    cost = STEEP * max(0.0, sideways - FUNNEL) + TWIST * max(0.0, abs(grasp.turn) - TURNED)
    if state.eef_position[2] + 0.02 < min(ceiling, grasp.point[2] + cost):
        offset[:2] *= LEAP
    offset[2] += min(max(HOVER, ceiling - grasp.point[2]), cost)
    return reach.move(state, offset, yaw=grasp.turn, gripper=OPEN)


def blocked(point: np.ndarray, yaw: float, others: Sequence[Body]) -> float:
    """[m], how deep an open hand that takes something at `point` would be in these, over all its points."""
    places, depth = point[:2] + level(HAND[:, :2], yaw), 0.0  # (P, 2)
    for other in others:
        low = other.position[2] + other.half_size[2] > point[2] + HAND[:, 2]  # (P,), that it stands higher than
        outside = np.abs(level(places[low] - other.position[:2], -other.yaw)) - other.half_size[:2]
        depth += float(np.maximum(0.0, MARGIN - outside.max(axis=1)).sum()) if low.any() else 0.0
    return depth


def hand_yaw(state: State) -> float:
    """[rad], of the axis along which the pads close."""
    return float(np.arctan2(state.eef_rotation[1, 0], state.eef_rotation[0, 0]))
