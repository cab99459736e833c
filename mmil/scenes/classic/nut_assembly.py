"""robosuite's NutAssembly: a nut over its peg, one at a time."""

from __future__ import annotations

import numpy as np
from robosuite.environments.manipulation.nut_assembly import NutAssembly as Task

from mmil.contracts import Body, Goal, Thing
from mmil.scenes.classic.stage import Classic
from mmil.scenes.classic.views import View
from mmil.scenes.driven import Driven

NUTS = (Thing("square nut"), Thing("round nut"))  # in robosuite's order
PEGS = (Thing("square peg"), Thing("round peg"))
NUT = ((0.044, 0.044, 0.010), (0.054, 0.054, 0.010))  # [m], half sizes of the rings, without their handles
PEG = ((0.016, 0.016, 0.100), (0.020, 0.020, 0.100))
SYMMETRY = (np.pi / 2, 0.0)


class World(Driven, Task):
    """With our control."""


class NutAssembly(Classic):
    """A square and a round nut on a table with two pegs; one of them has to hang low around its own peg, let go."""

    name, world, horizon = "robosuite_nut_assembly", World, 250
    view = View(look_at=(0.05, 0.0, 0.90), distance=0.95)
    goals = tuple(Goal("hang", nut, target=peg) for nut, peg in zip(NUTS, PEGS, strict=True))
    table_height = 0.82

    def _bodies(self) -> tuple[Body, ...]:
        names = (*(nut.root_body for nut in self._world.nuts), "peg1", "peg2")
        about = zip((*NUTS, *PEGS), names, (*NUT, *PEG), SYMMETRY * 2, strict=True)
        return tuple(
            self._body(thing, name, half, symmetry=turn, fixed=thing in PEGS) for thing, name, half, turn in about
        )

    def _reached(self, goal: Goal) -> bool:
        self._world._check_success()  # it writes down which of them are on their pegs
        return bool(self._world.objects_on_pegs[NUTS.index(goal.object)])
