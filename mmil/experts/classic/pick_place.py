"""Expert for robosuite's PickPlace."""

from __future__ import annotations

import numpy as np

from mmil.contracts import Body, State, Thing
from mmil.experts.classic.carry import Carry
from mmil.experts.classic.grasp import Yaws
from mmil.experts.classic.reach import Reach

OVER = 0.19  # [m], over the bins' floors: the lower side of what is carried, clear of walls and of what stands there
UPPER = 0.03  # [m], under the top of a tall thing: where it is taken
DROP = 0.03  # [m], over the floor: from here it may fall
PALM = 0.09  # [m], over the floor: lower the hand would meet the walls
LYING = 0.7  # of a standing thing's axis that points up: with less it lies
CORNERS = 1.0  # [rad], what taking it by its corners is worse than turning
WIDEST = 0.034  # [m], half width of what fits between the pads
BASE = (-0.5, -0.1)  # [m], world: where the arm stands
REACH, NEARER = 0.78, 0.05  # [m], from there: so far it comes with ease; at most so much nearer a thing may be put
INSIDE = 0.012  # [m], from a compartment's edge
# [m], world x and y of the middles and half sizes of the walls around the bin that things are taken from
WALLS = (
    ((-0.10, -0.25), (0.01, 0.26)),
    ((0.30, -0.25), (0.01, 0.26)),
    ((0.10, -0.50), (0.21, 0.01)),
    ((0.10, 0.00), (0.21, 0.01)),
)


def _wall(middle: tuple[float, float], half_size: tuple[float, float]) -> Body:
    upright = np.array([0.0, 0.0, 0.0, 1.0])
    return Body(Thing("wall"), np.array([*middle, 0.85]), upright, np.array([*half_size, 0.05]), held=False)


class PickPlace(Carry):
    """Groceries into their compartment."""

    reach = Reach(BASE)
    walls = tuple(_wall(*wall) for wall in WALLS)
    near, down, funnel = 0.03, 0.025, 0.02

    def point(self, body: Body, state: State) -> np.ndarray:
        """In its upper part where it stands, also askew; in its middle where it lies."""
        up, half = body.rotation[:, 2], body.half_size[2]
        if abs(up[2]) < LYING:
            return body.position
        return body.position + np.sign(up[2]) * max(0.6 * half, half - UPPER) * up

    def yaws(self, body: Body, state: State) -> Yaws:
        """Across its flat sides, or where it is small any way; across itself where it lies."""
        half, around = body.half_size[:2], np.linspace(0.0, np.pi, 8, endpoint=False)
        up = body.rotation[:, 2]
        if abs(up[2]) < LYING:
            return [(float(np.arctan2(up[1], up[0])) + np.pi / 2, 0.0)]
        if not body.symmetry:
            return [(body.yaw + turn, 0.0) for turn in around]
        flat = [(body.yaw + turn, 0.0) for turn, width in ((0.0, half[0]), (np.pi / 2, half[1])) if width < WIDEST]
        return flat + [(body.yaw + turn, CORNERS) for turn in around if np.linalg.norm(half) < WIDEST]

    def place(self, body: Body, state: State) -> np.ndarray:
        middle, below = self._bin(state).position[:2], float(state.eef_position[2] - body.position[2])
        height = max(body.half_size[2] + DROP, PALM - below)
        away = middle - np.array(BASE)
        far = float(np.linalg.norm(away))
        nearer = np.clip(far - REACH, 0.0, NEARER) * away / far
        return np.array([*(middle - nearer), state.table_height + height])

    def travel(self, body: Body, state: State) -> float:
        return state.table_height + OVER + float(body.half_size[2])

    def arrived(self, body: Body, state: State) -> bool:
        bin_ = self._bin(state)
        inside = np.abs(body.position - bin_.position)[:2] < bin_.half_size[:2] - INSIDE
        return bool(inside.all() and body.position[2] < state.table_height + 0.16)

    @staticmethod
    def _bin(state: State) -> Body:
        assert state.goal.target is not None, "a thing is placed somewhere"
        return state.body(state.goal.target)
