"""Expert for robosuite's NutAssembly."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Body, State
from mmil.experts.classic.carry import Carry
from mmil.experts.classic.grasp import Yaws
from mmil.experts.classic.rotations import shortest

HANDLE = {"square nut": 0.060, "round nut": 0.067}  # [m], along the nut's x axis: where its handle is taken
CLEAR = 0.035  # [m], over the peg's top
SIDEWAYS = 1.5  # [rad], of the handle from straight ahead, at least
LOW = 0.025  # [m], over the table: where the nut is let go


class NutAssembly(Carry):
    """A nut, by its handle, over its peg."""

    near, funnel, steep = 0.02, 0.004, 40.0
    caught = CLEAR

    def point(self, body: Body, state: State) -> np.ndarray:
        along = np.array([np.cos(body.yaw), np.sin(body.yaw), 0.0])
        point = body.position + HANDLE[body.thing.shape] * along
        point[2] = max(point[2], state.table_height + 0.012)
        return point

    def yaws(self, body: Body, state: State) -> Yaws:
        return [(body.yaw + np.pi / 2, 0.0)]

    def place(self, body: Body, state: State) -> np.ndarray:
        return np.array([*self._peg(state).position[:2], state.table_height + LOW])

    def travel(self, body: Body, state: State) -> float:
        peg = self._peg(state)
        return float(peg.position[2] + peg.half_size[2]) + CLEAR

    def arrived(self, body: Body, state: State) -> bool:
        around = np.linalg.norm((body.position - self._peg(state).position)[:2]) < 0.02
        return bool(around and body.position[2] < self.travel(body, state) - CLEAR)

    def turn(self, body: Body, state: State) -> float | None:
        """Its handle not behind the peg, where the arm does not reach; its sides along the peg's."""
        if body.symmetry:
            targets = [self._peg(state).yaw + quarter * np.pi / 2 for quarter in (-1, 1, 2)]
        else:
            targets = [sign * max(SIDEWAYS, abs(body.yaw)) for sign in (-1, 1)]
        return min((shortest(target - body.yaw, 2 * np.pi) for target in targets), key=abs)

    @staticmethod
    def _peg(state: State) -> Body:
        assert state.goal.target is not None, "a nut has a peg"
        return state.body(state.goal.target)
