"""Expert for `press`: a closed hand comes down on the button and keeps pressing."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.experts.motion import CLOSED, move

FUNNEL, STEEP, HOVER = 0.010, 2.5, 0.09  # [m], as in grasp.take: down only where it is over the button
DEEPER = -0.02  # [m], under the cap's top: where a pressing hand wants to be
SLOW, NEAR = 0.5, 0.03  # of a full step, close over the button [m]


class Press(Actor):
    """Closes the hand, goes over the button, and down until it is in."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        button = state.body(state.goal.object)
        top = button.position + np.array([0.0, 0.0, button.half_size[2]])
        offset = top - state.eef_position
        sideways = float(np.linalg.norm(offset[:2]))
        if sideways < 1.5 * FUNNEL and offset[2] > -NEAR:
            offset[2] += DEEPER
            return move(state, offset, yaw=None, gripper=CLOSED, gain=SLOW)
        offset[2] += min(HOVER, STEEP * max(0.0, sideways - FUNNEL)) + 0.01
        return move(state, offset, yaw=None, gripper=CLOSED)
