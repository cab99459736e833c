"""`push`: a thing over the table to one side, as the front camera sees sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmil.contracts import SIDES, Body, Goal, State
from mmil.scenes.skills.skill import Skill, things

PUSHED = 0.06  # [m], along the side
ASTRAY = 0.04  # [m], at most, across it
ROOM = 0.13  # [m], along the side, before and behind it, that must be free of other things
WIDTH = 0.050  # [m], across it, that they must keep
PALM = 0.115  # [m], half its length and some room
UNDER_PALM = 0.045  # [m], height of what it passes over
UPRIGHT = 2.3  # times as high as wide: what is higher falls over
EDGE = ((-0.24, 0.26), (-0.30, 0.30))  # [m], x and y of where a thing may end


class Push(Skill):
    """Any thing that has room on a side, 6 cm that way and still on the table."""

    verb = "push"

    def goals(self, start: State) -> Sequence[Goal]:
        return [
            Goal(self.verb, body.thing, relation=side)
            for body in things(start)
            for side in SIDES
            if body.half_size[2] < UPRIGHT * min(body.half_size[:2]) and _has_room(body, side, start)
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
    """Whether there is room ahead for the thing, behind it for the hand, and beside it for the palm."""
    way = np.array(SIDES[side])
    end = body.position[:2] + way * (PUSHED + 0.02)
    if any(not low <= value <= high for value, (low, high) in zip(end, EDGE, strict=True)):
        return False
    return not any(_in_the_way(*one, body=body, way=way) for one in _obstacles(body, state))


def _obstacles(body: Body, state: State) -> Iterator[tuple[np.ndarray, float, float]]:
    """Position (2,), radius and height [m] of whatever else is there."""
    for x, y, radius, height in state.taken:
        yield np.array([x, y]), float(radius), float(height)
    for other in things(state):
        if other.thing != body.thing:
            yield other.position[:2], float(max(other.half_size[:2])), 2 * other.half_height


def _in_the_way(place: np.ndarray, radius: float, height: float, *, body: Body, way: np.ndarray) -> bool:
    along = float((place - body.position[:2]) @ way)
    across = float(np.linalg.norm(place - body.position[:2] - along * way))
    room, width = ROOM + radius, WIDTH + radius
    if height > UNDER_PALM:  # which lies across
        width = PALM + radius
    return abs(along) < room and across < width
