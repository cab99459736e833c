"""`push`: a thing over the table to one side, as the front camera sees sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmil.contracts import SIDES, Body, Goal, State
from mmil.scenes.skills.skill import Skill

PUSHED = 0.06  # [m], along the side
ASTRAY = 0.04  # [m], at most, across it
ROOM = 0.16  # [m], along the side, that must be on the table and free of other things
WIDTH = 0.075  # [m], across it, that they must keep
EDGE = ((-0.24, 0.26), (-0.30, 0.30))  # [m], x and y of where a thing may end


class Push(Skill):
    """Any thing that has room on a side, 6 cm that way and still on the table."""

    verb = "push"

    def goals(self, start: State) -> Sequence[Goal]:
        return [
            Goal(self.verb, body.thing, relation=side)
            for body in start.bodies
            for side in SIDES
            if _has_room(body, side, start)
        ]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        assert goal.relation is not None, "a push has a side"
        body = now.body(goal.object)
        along, across = moved(start.body(goal.object), body, goal.relation)
        low = body.position[2] < now.table_height + 2 * body.half_size[2]
        return low and along > PUSHED and across < ASTRAY


def moved(before: Body, now: Body, side: str) -> tuple[float, float]:
    """[m] along a side, and across it."""
    way, offset = np.array(SIDES[side]), (now.position - before.position)[:2]
    along = float(offset @ way)
    return along, float(np.linalg.norm(offset - along * way))


def _has_room(body: Body, side: str, state: State) -> bool:
    way = np.array(SIDES[side])
    end = body.position[:2] + way * (PUSHED + 0.02)
    if any(not low <= value <= high for value, (low, high) in zip(end, EDGE, strict=True)):
        return False
    # ahead there must be room for the thing, behind it for the hand
    for other in state.bodies:
        offset = (other.position - body.position)[:2]
        along = float(offset @ way)
        if other.thing != body.thing and -ROOM < along < ROOM and np.linalg.norm(offset - along * way) < WIDTH:
            return False
    return True
