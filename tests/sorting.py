"""A plane whose layouts offer several verbs for two of its things each, and which leaves out what it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmil.contracts import Goal, Infeasible, Step
from mmil.language.compositions import Compositions
from tests.plane import THINGS, Plane

NODE = {"class_path": "tests.sorting.Sorting", "init_args": {}}
VERBS = ("lift", "touch")
EVERY = tuple(Goal(verb, thing) for verb in VERBS for thing in THINGS)


class Sorting(Plane):
    """Two of three things may be lifted or touched; the goal that is drawn is one of training, at times in a manner."""

    def __init__(self, *, randomisation: Mapping[str, Any] | None = None, manners: float = 0.0) -> None:
        super().__init__(windy=0.0)
        self._manners = manners
        self._held = Compositions.parse((randomisation or {}).get("held_out", []))

    @property
    def goals(self) -> tuple[Goal, ...]:
        return self._goals

    def reset(self, seed: int) -> Step:
        rng = np.random.default_rng([seed, 1])
        offered = [THINGS[i] for i in sorted(rng.choice(len(THINGS), 2, replace=False))]
        self._goals = tuple(goal for goal in EVERY if goal.object in offered)
        super().reset(seed)
        manner = "slowly" if rng.random() < self._manners else None
        training = self._held.of_split([goal.done(manner) for goal in self._goals], "train")
        if not training:
            raise Infeasible(f"seed {seed} leaves nothing but what is held out")
        self._goal = training[rng.integers(len(training))]
        return self._result(None)
