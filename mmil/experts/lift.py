"""Expert for `lift`: a function of the state alone, so that it can answer in any state a policy reaches."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.experts.grasp import take
from mmil.experts.motion import CLOSED, move

RISE = 0.16  # [m], over the table: where a held thing is carried


class Lift(Actor):
    """Goes over the thing, down a funnel, closes, and rises once both pads hold it."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        body = state.body(state.goal.object)
        if body.held and state.gripper_command > 0:
            above = max(RISE, body.half_height + 0.1) if body.half_height > 0.05 else RISE
            rise = np.array([0.0, 0.0, state.table_height + above - state.eef_position[2]])
            return move(state, rise, yaw=None, gripper=CLOSED)
        return take(state, body)
