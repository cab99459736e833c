"""Expert for robosuite's Wipe: a sponge on the table, pressed by the force it feels, from dirt to dirt."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.experts.motion import OPEN, move, to_next_left

WANTED = 15.0  # [N], down on the table
COMPLIANCE = 0.0008  # [m/N], further down for what is missing of it
TOUCHING = 0.01  # [m], of the sponge over the table: from here on forces say how high it is
STRIDE = 0.03  # [m], of a wiping step
HOVER, STEEP, NEAR = 0.05, 0.6, 0.05  # [m], height on the way; of a sideways error; where it may come down


class Wipe(Actor):
    """To the nearest dirt that is left, down until it feels the table, and over it."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        offset = to_next_left(state)
        sideways, height = float(np.linalg.norm(offset)), float(state.eef_position[2] - state.table_height)
        if sideways < 2 * NEAR and height < TOUCHING:
            offset *= min(1.0, STRIDE / max(sideways, 1e-9))
            offset[2] = np.clip(COMPLIANCE * (state.force[2] - WANTED), -0.01, 0.01)
        else:
            offset[2] = min(HOVER, STEEP * max(0.0, sideways - NEAR)) - height
        return move(state, offset, yaw=None, gripper=OPEN)
