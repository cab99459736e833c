"""Expert for `push`: behind the thing, down, and along."""

from __future__ import annotations

import numpy as np

from mmil.contracts import SIDES, Actor, Observation, State
from mmil.experts.motion import CLOSED, funnel, move, stride

AWAY = 0.035  # [m], between the thing's side and the hand before it pushes
STRAY = 0.020  # [m], across the way: a hand that pushes already goes on
CLEAR = 0.05  # [m], over the thing's top: where the hand may go anywhere
LOW = 0.018  # [m], over the table: where it pushes
LEVEL, ON_IT = 0.010, 0.025  # [m], off that height: before it begins to push, and once it does
STRIDE = 0.035  # [m], of a pushing step


class Push(Actor):
    """Closes the hand, goes high around to the far side, down, and pushes until the scene says that it is enough."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None and state.goal.relation is not None, "an expert reads privileged state"
        body = state.body(state.goal.object)
        way = np.array([*SIDES[state.goal.relation], 0.0])
        hand = state.eef_position - body.position
        hand[2] = 0.0
        along = float(hand @ way)
        across = hand - along * way
        reach = float(max(body.half_size[:2]))
        low = state.table_height + LOW
        height = low - state.eef_position[2]
        yaw = turn(state, way)
        level = ON_IT if along > -(reach + AWAY / 2) else LEVEL
        if along < -0.5 * reach and np.linalg.norm(across) < STRAY and abs(height) < level:
            if state.goal.manner == "gently" and body.touched:
                height = max(height, 0.0)  # having come up onto the thing, it does not press it down
            offset = stride(state, STRIDE) * way - across + np.array([0.0, 0.0, height])
            return move(state, offset, yaw=yaw, gripper=CLOSED)
        behind = -(reach + AWAY) * way - hand  # from the hand to where it goes down
        behind[2] = 0.0
        clear = state.table_height + 2 * float(body.half_size[2]) + CLEAR
        rise = funnel(float(np.linalg.norm(behind)), yaw, low=low, high=clear) - state.eef_position[2]
        if rise > 0.02:  # up before it goes around
            behind *= 0.2
        return move(state, behind + np.array([0.0, 0.0, rise]), yaw=yaw, gripper=CLOSED)


def turn(state: State, way: np.ndarray) -> float:
    """[rad] to turn the hand so that its palm lies across the way and passes over nothing but the thing."""
    hand = float(np.arctan2(state.eef_rotation[1, 1], state.eef_rotation[0, 1]))  # the palm is long across this axis
    return float((np.arctan2(way[1], way[0]) - hand + np.pi / 2) % np.pi - np.pi / 2)
