"""`open` and `close`: a drawer."""

from __future__ import annotations

from collections.abc import Sequence

from mmil.contracts import Goal, State
from mmil.scenes.skills.skill import UNGENTLE, Skill, furniture

OPENED, SHUT = 0.055, 0.012  # [m], how far it is open


class Open(Skill):
    """A drawer that is shut, pulled open."""

    verb, fixtures = "open", ("drawer",)
    manners = UNGENTLE

    def goals(self, start: State) -> Sequence[Goal]:
        return [Goal(self.verb, body.thing) for body in furniture(start, self.fixtures) if body.value < SHUT]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        return now.body(goal.object).value > OPENED


class Close(Skill):
    """A drawer that is open, pushed shut."""

    verb, fixtures = "close", ("drawer",)

    def goals(self, start: State) -> Sequence[Goal]:
        return [Goal(self.verb, body.thing) for body in furniture(start, self.fixtures) if body.value > OPENED]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        return now.body(goal.object).value < SHUT
