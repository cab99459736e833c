"""robosuite's PickPlaceCan: a can alone in the bin."""

from __future__ import annotations

from collections import OrderedDict

from robosuite.environments.manipulation.pick_place import PickPlaceCan as Task

from mmil.contracts import Body
from mmil.scenes.classic.pick_place import PickPlace
from mmil.scenes.driven import Driven


class World(Driven, Task):
    """With our control."""

    def _setup_observables(self) -> OrderedDict:
        self.object_id_to_sensors: dict[int, list[str]] = {}  # which robosuite would switch off for what is not there
        return super()._setup_observables()


class Can(PickPlace):
    """PickPlace with the other groceries out of sight."""

    name, world = "robosuite_can", World
    goals = tuple(goal for goal in PickPlace.goals if goal.object.shape == "can")

    def _bodies(self) -> tuple[Body, ...]:
        return super()._bodies()[-2:]  # the can, and where it belongs
