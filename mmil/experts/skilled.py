"""An expert for every verb: asks the one that knows the goal's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmil.contracts import Actor, Observation, State, UserError
from mmil.experts.carry import Insert, Place, Put, Stack
from mmil.experts.drawer import Close, Open
from mmil.experts.flip import Flip
from mmil.experts.lift import Lift
from mmil.experts.press import Press
from mmil.experts.push import Push
from mmil.experts.touch import Touch
from mmil.experts.wipe import Wipe

EXPERTS: Mapping[str, type[Actor]] = {
    **{"lift": Lift, "place": Place, "stack": Stack, "put": Put, "push": Push, "touch": Touch},
    **{"open": Open, "close": Close, "press": Press, "flip": Flip, "wipe": Wipe, "insert": Insert},
}


class Skilled(Actor):
    """experts: verb → actor; those of this package unless given. What none of them knows is refused by name."""

    def __init__(self, experts: Mapping[str, Actor] | None = None) -> None:
        self.experts = dict(experts) if experts else {verb: make() for verb, make in EXPERTS.items()}

    def reset(self, seed: int) -> None:
        for expert in self.experts.values():
            expert.reset(seed)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "an expert reads privileged state"
        verb = state.goal.verb
        if verb not in self.experts:
            raise UserError(f"no expert for {verb!r}; there are {', '.join(self.experts)}")
        return self.experts[verb].act(observation, state)
