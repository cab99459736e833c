"""`put`: a thing beside another one, on the side that is said as the front camera sees sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmil.contracts import BESIDE, Body, Goal, State
from mmil.scenes.skills.skill import Skill, free, let_go, things

ALONG = (0.04, 0.17)  # [m], between the two middles, on that side
ACROSS = 0.045  # [m], at most
MOVED = 0.02  # [m]: beside it because it was put there


class Put(Skill):
    """Any thing, left of, right of, in front of or behind another one, standing on the table."""

    verb, grasps = "put", True

    def goals(self, start: State) -> Sequence[Goal]:
        return [
            Goal(self.verb, body.thing, target=other.thing, relation=relation)
            for body in things(start)
            for other in things(start)
            for relation in BESIDE
            if body is not other and self._feasible(body, other, relation, start)
        ]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        assert goal.target is not None and goal.relation is not None, "a thing is put beside another one"
        body, other = now.body(goal.object), now.body(goal.target)
        down = body.position[2] - body.half_height < now.table_height + 0.01
        moved = float(np.linalg.norm(body.position - start.body(goal.object).position)) > MOVED
        return moved and let_go(body) and down and _beside(body, other, goal.relation)

    @staticmethod
    def _feasible(body: Body, other: Body, relation: str, start: State) -> bool:
        place = beside(other, relation)
        return not _beside(body, other, relation) and free(place, start, but=(body, other))


def beside(other: Body, relation: str) -> np.ndarray:
    """float64 (2,) [m]: the place on that side of it which leaves room for a hand."""
    return other.position[:2] + other.room * np.array(BESIDE[relation])


def _beside(body: Body, other: Body, relation: str) -> bool:
    way, offset = np.array(BESIDE[relation]), (body.position - other.position)[:2]
    along = float(offset @ way)
    return ALONG[0] < along < ALONG[1] and float(np.linalg.norm(offset - along * way)) < ACROSS
