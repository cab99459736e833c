"""robosuite's Stack: the small cube onto the large one."""

from __future__ import annotations

import numpy as np
from robosuite.environments.manipulation.stack import Stack as Task

from mmil.contracts import Body, Goal, Thing
from mmil.scenes.classic.stage import Classic
from mmil.scenes.classic.views import View
from mmil.scenes.driven import Driven

UPPER, LOWER = Thing("cube", "red"), Thing("cube", "green")


class World(Driven, Task):
    """With our control."""


class Stack(Classic):
    """Two cubes; the red one has to stand on the green one, let go."""

    name, world, horizon = "robosuite_stack", World, 200
    view = View(look_at=(0.0, 0.0, 0.87), distance=0.78)
    goals = (Goal("stack", UPPER, target=LOWER),)
    table_height = 0.8

    def _bodies(self) -> tuple[Body, ...]:
        cubes = ((UPPER, self._world.cubeA), (LOWER, self._world.cubeB))
        return tuple(self._body(thing, cube.root_body, cube.size, symmetry=np.pi / 2) for thing, cube in cubes)

    def _reached(self, goal: Goal) -> bool:
        return bool(self._world._check_success())
