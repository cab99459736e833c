"""Expert for robosuite's Stack."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Body, State
from mmil.experts.classic.carry import Carry
from mmil.experts.classic.grasp import Yaws

CLEAR = 0.05  # [m], over the lower cube: how high the upper one is carried
GAP = 0.002  # [m], between the two: it is let go


class Stack(Carry):
    """The cube onto the other one."""

    near, funnel = 0.010, 0.006

    def point(self, body: Body, state: State) -> np.ndarray:
        return body.position

    def yaws(self, body: Body, state: State) -> Yaws:
        return [(body.yaw, 0.0), (body.yaw + np.pi / 2, 0.0)]

    def place(self, body: Body, state: State) -> np.ndarray:
        lower = self._lower(state)
        return lower.position + np.array([0.0, 0.0, lower.half_size[2] + body.half_size[2] + GAP])

    def travel(self, body: Body, state: State) -> float:
        return float(self._lower(state).position[2]) + 2 * body.half_size[2] + CLEAR

    def arrived(self, body: Body, state: State) -> bool:
        offset = self.place(body, state) - body.position
        return bool(np.linalg.norm(offset[:2]) < 0.03 and abs(offset[2]) < 0.015)

    @staticmethod
    def _lower(state: State) -> Body:
        assert state.goal.target is not None, "a thing is stacked on another one"
        return state.body(state.goal.target)
