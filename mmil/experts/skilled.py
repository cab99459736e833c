"""An expert for every verb: asks the one that knows the goal's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmil.contracts import Actor, Observation, State, UserError


class Skilled(Actor):
    """experts: verb → actor. What none of them knows is refused by name."""

    def __init__(self, experts: Mapping[str, Actor]) -> None:
        self.experts = dict(experts)

    def reset(self, seed: int) -> None:
        for expert in self.experts.values():
            expert.reset(seed)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        verb = state.goal.verb
        if verb not in self.experts:
            raise UserError(f"no expert for {verb!r}; there are {', '.join(self.experts)}")
        return self.experts[verb].act(observation, state)
