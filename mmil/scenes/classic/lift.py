"""robosuite's Lift: a cube up from the table."""

from __future__ import annotations

import numpy as np
from robosuite.environments.manipulation.lift import Lift as Task

from mmil.contracts import Body, Goal, Thing
from mmil.scenes.classic.stage import Classic
from mmil.scenes.classic.views import View
from mmil.scenes.driven import Driven

CUBE = Thing("cube", "red")


class World(Driven, Task):
    """With our control."""


class Lift(Classic):
    """One red cube, whose lower side has to come 2 cm off the table."""

    name, world, horizon = "robosuite_lift", World, 100
    view = View(look_at=(0.0, 0.0, 0.87), distance=0.78)
    goals = (Goal("lift", CUBE),)
    table_height = 0.8

    def _bodies(self) -> tuple[Body, ...]:
        return (self._body(CUBE, self._world.cube.root_body, self._world.cube.size, symmetry=np.pi / 2),)

    def _reached(self, goal: Goal) -> bool:
        return bool(self._world._check_success())
