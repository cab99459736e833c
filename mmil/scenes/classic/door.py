"""robosuite's Door: latched, with a handle that has to be turned first."""

from __future__ import annotations

from robosuite.environments.manipulation.door import Door as Task

from mmil.contracts import Body, Goal, Thing
from mmil.scenes.classic.stage import Classic
from mmil.scenes.classic.views import View
from mmil.scenes.driven import Driven

DOOR, HANDLE = Thing("door"), Thing("handle")


class World(Driven, Task):
    """With our control."""


class Door(Classic):
    """A door on the table; it has to stand 0.3 rad open. Values: the angles of hinge and handle [rad]."""

    name, world, horizon = "robosuite_door", World, 250
    view = View(look_at=(-0.15, -0.20, 1.02), distance=1.15, azimuth=50.0, elevation=35.0)
    goals = (Goal("open", DOOR),)
    table_height = 0.8

    def _bodies(self) -> tuple[Body, ...]:
        door, data = self._world.door, self._data
        hinge, latch = (float(data.joint(joint).qpos[0]) for joint in door.joints)
        panel = self._body(DOOR, door.door_body, (0.22, 0.02, 0.29), fixed=True, value=hinge)
        handle = self._body(HANDLE, door.latch_body, (0.075, 0.015, 0.02), fixed=True, value=latch)
        handle.position[:] = data.site_xpos[self._world.door_handle_site_id]
        return panel, handle

    def _reached(self, goal: Goal) -> bool:
        return bool(self._world._check_success())

    def _fixed(self) -> tuple[str, ...]:
        return (self._world.door.root_body,)
