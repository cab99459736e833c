"""Expert for `lift`: a function of the state alone, so that it can answer in any state a policy reaches."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.experts.grasp import take
from mmil.experts.motion import CLOSED, move

RISE, UP = 0.16, 0.06  # [m], over the table: where the hand carries a thing, and where the thing is at least


class Lift(Actor):
    """Goes over the thing, down a funnel, closes, and rises once both pads hold it."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        body = state.body(state.goal.object)
        if body.held and state.gripper_command > 0:
            above = max(RISE, body.half_height + 0.1) if body.half_height > 0.05 else RISE
            low = body.position[2] - body.half_height  # which hangs deep in a hand that it slid down in
            rise = state.table_height + max(above - state.eef_position[2], UP - low)
            return move(state, np.array([0.0, 0.0, rise]), yaw=None, gripper=CLOSED)
        return take(state, body)
