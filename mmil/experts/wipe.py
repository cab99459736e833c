"""Expert for `wipe`: closed finger tips, pressed on the table by the force they feel, from stain to stain."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.experts.motion import CLOSED, move

FUNNEL, STEEP, HOVER = 0.020, 2.0, 0.07  # [m], as in grasp.take
WANTED = 8.0  # [N], down on the table
COMPLIANCE = 0.0012  # [m/N], further down for what is missing of it
TOUCHING = 0.012  # [m], of the finger tips over the table: from here on forces say how high they are
STRIDE = 0.02  # [m], of a wiping step
SLOW, NEAR = 0.5, 0.04  # of a full step, close over the table [m]


class Wipe(Actor):
    """Goes to the nearest stain that is left, down until it feels the table, and rubs."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        spot = state.body(state.goal.object)
        left = spot.points if len(spot.points) else spot.position[None]
        offsets = left[:, :2] - state.eef_position[:2]
        offset = np.append(offsets[np.argmin(np.linalg.norm(offsets, axis=1))], 0.0)
        sideways, height = float(np.linalg.norm(offset)), state.eef_position[2] - state.table_height
        if sideways < 2.5 * FUNNEL and height < 2 * TOUCHING:
            offset *= min(1.0, STRIDE / max(sideways, 1e-9))
            offset[2] = np.clip(COMPLIANCE * (state.force[2] - WANTED), -0.012, 0.012)
            return move(state, offset, yaw=None, gripper=CLOSED)
        offset[2] = min(HOVER, STEEP * max(0.0, sideways - FUNNEL)) + TOUCHING - height
        return move(state, offset, yaw=None, gripper=CLOSED, gain=SLOW if height < NEAR else 1.0)
