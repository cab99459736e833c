"""Expert for the toy: straight over the thing it is told, and down."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Actor, Observation, State

STRIDE = 0.03  # [m], of a whole action of the toy
NEAR = 0.012  # [m], from where it presses: well within a thing


class Straight(Actor):
    """A function of the state alone, so that it can label any."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        away = (state.body(state.goal.object).position - state.eef_position)[:2]
        press = 1.0 if np.linalg.norm(away) < NEAR + STRIDE / 2 else -1.0
        return np.append(away / max(STRIDE, float(np.abs(away).max())), press).astype(np.float32)
