"""A plane whose layouts offer several verbs for two of its things each, and which leaves out what it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmil.contracts import Goal, Step
from mmil.language.compositions import Compositions
from tests.plane import THINGS, Plane

NODE = {"class_path": "tests.sorting.Sorting", "init_args": {}}
VERBS = ("lift", "touch")
EVERY = tuple(Goal(verb, thing) for verb in VERBS for thing in THINGS)


class Sorting(Plane):
    """Two of three things may be lifted or touched; the goal that is drawn is one of training."""

    def __init__(self, *, randomisation: Mapping[str, Any] | None = None) -> None:
        super().__init__(windy=0.0)
        self._held = Compositions.parse((randomisation or {}).get("held_out", []))

    @property
    def goals(self) -> tuple[Goal, ...]:
        return self._goals

    def reset(self, seed: int) -> Step:
        rng = np.random.default_rng([seed, 1])
        offered = [THINGS[i] for i in sorted(rng.choice(len(THINGS), 2, replace=False))]
        self._goals = tuple(goal for goal in EVERY if goal.object in offered)
        super().reset(seed)
        training = self._held.of_split(self._goals, "train")
        self._goal = training[rng.integers(len(training))]
        return self._result(None)
