"""`place`: a thing into a bin or onto a plate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmil.contracts import Goal, State
from mmil.scenes.skills.skill import Skill, furniture, let_go, things

SUNK = 0.008  # [m]: the box around a lemon that lies askew reaches so far into what it lies on
RELATIONS = {"in": "bin", "on": "plate"}


class Place(Skill):
    """Any thing, let go inside a bin's walls or flat on a plate."""

    verb, grasps, fixtures = "place", True, ("bin", "plate")

    def goals(self, start: State) -> Sequence[Goal]:
        return [
            Goal(self.verb, body.thing, target=holder.thing, relation=relation)
            for relation, kind in RELATIONS.items()
            for holder in furniture(start, [kind])
            for body in things(start)
        ]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        assert goal.target is not None, "a thing is placed somewhere"
        body, holder = now.body(goal.object), now.body(goal.target)
        offset, bottom = (body.position - holder.position)[:2], body.position[2] - body.half_height - now.table_height
        if not let_go(body):
            return False
        if goal.relation == "in":
            return _inside(offset, holder.yaw, holder.half_size[0]) and bottom < 2 * holder.half_size[2]
        top = 2 * holder.half_size[2]
        over = float(np.linalg.norm(offset)) < holder.half_size[0] - 0.008
        return over and top - SUNK < bottom < top + 0.01


def _inside(offset: np.ndarray, yaw: float, half: float) -> bool:
    turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
    return bool((np.abs(turn @ offset) < half).all())
