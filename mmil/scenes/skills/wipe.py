"""`wipe`: a spot off the table, which takes a hand that presses on it."""

from __future__ import annotations

from collections.abc import Sequence

from mmil.contracts import Goal, State
from mmil.scenes.skills.skill import UNGENTLE, Skill, furniture

HARDEST = 60.0  # [N]: more would hurt the table


class Wipe(Skill):
    """A spot, every stain of which was rubbed off."""

    verb, fixtures = "wipe", ("spot",)
    manners = UNGENTLE

    def goals(self, start: State) -> Sequence[Goal]:
        return [Goal(self.verb, body.thing) for body in furniture(start, self.fixtures)]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        return now.body(goal.object).value == 1.0 and abs(now.force[2]) < HARDEST
