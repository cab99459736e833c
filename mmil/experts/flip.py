"""Expert for `flip`: a closed hand comes down behind the lever and pushes it over."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.experts.motion import CLOSED, funnel, move, stride
from mmil.experts.push import turn

BEHIND = 0.040  # [m], of the knob: where the hand comes down
STRAY = 0.016  # [m], across the way: a hand that pushes already goes on
LOW = 0.062  # [m], over the table: where it pushes, the tips under the knob and the palm over it all the way
CLEAR = 0.05  # [m], over the knob: where the hand may go anywhere
LEVEL, ON_IT = 0.012, 0.025  # [m], off that height: before it begins to push, and once it does
STRIDE, LAST = 0.025, 0.010  # [m], of a pushing step, and where the lever is nearly over: it stops hard


class Flip(Actor):
    """Closes the hand, goes high around to where the lever leans to, down, and along."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        knob = state.body(state.goal.object)
        way = knob.rotation[:, 0]
        hand = state.eef_position - knob.position
        hand[2] = 0.0
        along = float(hand @ way)
        across = hand - along * way
        height = state.table_height + LOW - state.eef_position[2]
        yaw = turn(state, way)
        level = ON_IT if along > -0.75 * BEHIND else LEVEL
        if along < 0.01 and np.linalg.norm(across) < STRAY and abs(height) < level:
            step = LAST + (stride(state, STRIDE) - LAST) * min(1.0, 2.0 * (1.0 - knob.value))
            return move(state, step * way - across + np.array([0.0, 0.0, height]), yaw=yaw, gripper=CLOSED)
        behind = -BEHIND * way - hand
        clear = float(knob.position[2] + knob.half_size[2] + CLEAR)
        goal = funnel(float(np.linalg.norm(behind)), yaw, low=state.table_height + LOW, high=clear)
        rise = goal - state.eef_position[2]
        if rise > 0.02:  # up before it goes around
            behind *= 0.2
        return move(state, behind + np.array([0.0, 0.0, rise]), yaw=yaw, gripper=CLOSED)
