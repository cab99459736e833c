"""robosuite's PickPlace: groceries from a bin into compartments, one at a time."""

from __future__ import annotations

from functools import cached_property

import mujoco
import numpy as np
from robosuite.environments.manipulation.pick_place import PickPlace as Task

from mmil.contracts import Body, Goal, Thing
from mmil.scenes.classic.stage import Classic
from mmil.scenes.classic.views import View
from mmil.scenes.driven import Driven

THINGS = tuple(Thing(shape) for shape in ("milk", "bread", "cereal", "can"))  # in robosuite's order
BIN = Thing("sorting bin")
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


class World(Driven, Task):
    """With our control."""


class PickPlace(Classic):
    """Milk, bread, cereal and a can in a bin; one of them has to come into its own compartment of the other bin."""

    name, world, horizon = "robosuite_pick_place", World, 250
    view = View(look_at=(0.05, 0.0, 0.87), distance=1.5)
    goals = tuple(Goal("place", thing, target=BIN, relation="in") for thing in THINGS)
    table_height = 0.82
    _checked = -1  # the moment of the last check

    def _bodies(self) -> tuple[Body, ...]:
        """The groceries, and the compartment of the one that is asked for."""
        things = (self._grocery(thing, item.root_body) for thing, item in zip(THINGS, self._world.objects, strict=True))
        asked = THINGS.index(self._goal.object) if self._goal.object in THINGS else 0
        half = np.array([*self._world.bin_size[:2] / 4, 0.05])
        middle = self._world.target_bin_placements[asked] + [0.0, 0.0, half[2]]
        return (*things, Body(BIN, middle, UPRIGHT, half, held=False, fixed=True))

    def _reached(self, goal: Goal) -> bool:
        if self._checked != self._moment:
            self._world._check_success()  # it writes down which of them are where they belong
            self._checked = self._moment
        return bool(self._world.objects_in_bins[THINGS.index(goal.object)])

    @cached_property
    def _boxes(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        names = [item.root_body for item in self._world.objects]
        return {name: bounding_box(self._model, self._model.body(name).id) for name in names}

    def _grocery(self, thing: Thing, name: str) -> Body:
        middle, half = self._boxes[name]
        body = self._body(thing, name, half, symmetry=0.0 if thing.shape == "can" else np.pi)
        rotation = self._data.xmat[self._model.body(name).id].reshape(3, 3)
        body.position[:] += rotation @ middle
        return body


def bounding_box(model: mujoco.MjModel, body: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle (3,) and half size (3,) [m] of the first mesh of a body, in its frame."""
    geom, rotation = model.body_geomadr[body], np.empty(9)
    mesh = model.geom_dataid[geom]
    points = model.mesh_vert[model.mesh_vertadr[mesh] :][: model.mesh_vertnum[mesh]]
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    points = points @ rotation.reshape(3, 3).T + model.geom_pos[geom]
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, (high - low) / 2
