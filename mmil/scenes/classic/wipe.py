"""robosuite's Wipe: dirt off a table, with a sponge for a hand."""

from __future__ import annotations

import numpy as np
from robosuite.environments.manipulation.wipe import Wipe as Task

from mmil.contracts import Body, Goal, Thing
from mmil.scenes.classic.stage import Classic
from mmil.scenes.classic.views import View
from mmil.scenes.driven import Driven

DIRT = Thing("spot")
UPRIGHT = np.array([0.0, 0.0, 0.0, 1.0])


class World(Driven, Task):
    """With our control; what is wiped is noticed once a control step, by the task's own reward."""

    def advance(self, action: np.ndarray) -> None:
        super().advance(action)
        self.reward(action)


class Wipe(Classic):
    """A winding trail of dirt on a table, every bit of which has to go. Its value is the share that is gone.

    The hand is a sponge: the gripper's axis of actions does nothing, and gripper_pos is 0.
    """

    name, world, horizon, axes = "robosuite_wipe", World, 500, 6
    view = View(look_at=(0.05, 0.0, 0.95), distance=1.05)
    goals = (Goal("wipe", DIRT),)
    table_height = 0.9

    def _bodies(self) -> tuple[Body, ...]:
        left = np.array([place for place, gone in zip(self._places, self._memory(), strict=True) if not gone])
        middle = left.mean(axis=0) if len(left) else self._places.mean(axis=0)
        half = np.append(np.ptp(self._places, axis=0)[:2] / 2, 0.001)
        share = float(self._memory().mean())
        return (Body(DIRT, middle, UPRIGHT, half, held=False, fixed=True, value=share, points=left.reshape(-1, 3)),)

    def _reached(self, goal: Goal) -> bool:
        return bool(self._world._check_success())

    def _fixed(self) -> tuple[str, ...]:
        return tuple(marker.root_body for marker in self._markers)

    def _memory(self) -> np.ndarray:
        """(markers,), 1 where it is gone."""
        gone = {id(marker) for marker in self._world.wiped_markers}
        return np.array([id(marker) in gone for marker in self._markers], np.float64)

    def _remember(self, memory: np.ndarray) -> None:
        for marker, gone in zip(self._markers, memory, strict=True):
            self._model.geom(marker.visual_geoms[0]).rgba[3] = 1.0 - gone

    @property
    def _markers(self) -> list:
        return self._world.model.mujoco_arena.markers

    @property
    def _places(self) -> np.ndarray:
        """(markers, 3) [m], world."""
        return np.array([self._data.body(marker.root_body).xpos for marker in self._markers])
