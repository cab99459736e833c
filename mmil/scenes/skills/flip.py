"""`flip`: a lever."""

from __future__ import annotations

from collections.abc import Sequence

from mmil.contracts import Goal, State
from mmil.scenes.skills.skill import Skill, furniture

FLIPPED = 0.8  # of its way


class Flip(Skill):
    """A lever, pushed over to its other side."""

    verb, fixtures = "flip", ("lever",)

    def goals(self, start: State) -> Sequence[Goal]:
        return [Goal(self.verb, body.thing) for body in furniture(start, self.fixtures)]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        return now.body(goal.object).value > FLIPPED
