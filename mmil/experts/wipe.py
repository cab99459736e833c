"""Expert for `wipe`: closed finger tips, pressed on the table by the force they feel, from stain to stain."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.experts.motion import CLOSED, move, stride, to_next_left

FUNNEL, STEEP, HOVER = 0.020, 2.0, 0.07  # [m], as in grasp.take
WANTED = 8.0  # [N], down on the table
LEAN, COMPLIANCE = -0.010, 0.0004  # [m], into the table for about that force; and for each newton that is missing [m/N]
MOST, LEAST = -0.016, -0.002  # [m], into the table
FELT = 1.0  # [N]: the table
LOW, NEAR = 0.016, 0.035  # [m], over the table: where it may be met, and where the hand slows down
LANDING, EASING = 0.0025, 0.010  # [m], of a step down there
STRIDE = 0.016  # [m], of a wiping step


class Wipe(Actor):
    """Goes to the next stain that is left, down until it feels the table, and rubs."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        offset = to_next_left(state, under=1.0)
        sideways, height = float(np.linalg.norm(offset)), state.eef_position[2] - state.table_height
        if sideways > 2.5 * FUNNEL or height > LOW:
            offset[2] = min(HOVER, STEEP * max(0.0, sideways - FUNNEL)) + 0.5 * LOW - height
            if height < NEAR:
                offset[2] = max(offset[2], -EASING)
        elif state.force[2] < FELT:
            offset *= 0.3
            offset[2] = -LANDING
        else:
            offset *= min(1.0, stride(state, STRIDE) / max(sideways, 1e-9))
            offset[2] = np.clip(LEAN + COMPLIANCE * (state.force[2] - WANTED), MOST, LEAST)
        return move(state, offset, yaw=None, gripper=CLOSED)
