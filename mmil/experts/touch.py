"""Expert for `touch`: a closed hand comes down on the thing and stays."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.experts.motion import CLOSED, move

FUNNEL = 0.010  # [m], sideways error below which the hand goes all the way down
STEEP = 2.5  # height over the thing a sideways error costs
HOVER = 0.09  # [m], highest approach over the thing
PRESS = np.array([0.0, 0.0, -0.006])  # [m], a little further, so that it goes on being felt
GENTLE = 0.4  # of a full step, close over the thing


class Touch(Actor):
    """Closes the hand, goes over the thing, and down until a finger feels it."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        body = state.body(state.goal.object)
        if body.touched:
            return move(state, PRESS, yaw=None, gripper=CLOSED)
        top = body.position + np.array([0.0, 0.0, body.half_size[2]])
        offset = top - state.eef_position
        sideways = float(np.linalg.norm(offset[:2]))
        offset[2] += min(HOVER, STEEP * max(0.0, sideways - FUNNEL))
        slow = GENTLE if sideways < FUNNEL and abs(offset[2]) < 0.04 else 1.0
        return move(state, offset - [0.0, 0.0, 0.01 if slow < 1 else 0.0], yaw=None, gripper=CLOSED, gain=slow)
