"""`insert`: a peg into the hole of a socket."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmil.contracts import Goal, State
from mmil.scenes.skills.skill import UNGENTLE, Skill, furniture, let_go, things

DEEP = 0.015  # [m], its lower end over the table at most
CENTRED = 0.010  # [m], of the hole


class Insert(Skill):
    """A peg that stands in a socket, let go."""

    verb, grasps, fixtures, shapes = "insert", True, ("socket",), ("peg",)
    manners = UNGENTLE

    def goals(self, start: State) -> Sequence[Goal]:
        pegs = [body for body in things(start) if body.thing.shape in self.shapes]
        return [
            Goal(self.verb, peg.thing, target=socket.thing)
            for socket in furniture(start, self.fixtures)
            for peg in pegs
        ]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        assert goal.target is not None, "a peg is inserted into a socket"
        peg, socket = now.body(goal.object), now.body(goal.target)
        centred = float(np.linalg.norm((peg.position - socket.position)[:2])) < CENTRED
        return let_go(peg) and centred and peg.position[2] - peg.half_height < now.table_height + DEEP
