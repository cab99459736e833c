"""`press`: a button."""

from __future__ import annotations

from collections.abc import Sequence

from mmil.contracts import Goal, State
from mmil.scenes.skills.skill import Skill, furniture

PRESSED = 0.7  # of its travel


class Press(Skill):
    """A button, most of the way in and kept there."""

    verb, fixtures = "press", ("button",)

    def goals(self, start: State) -> Sequence[Goal]:
        return [Goal(self.verb, body.thing) for body in furniture(start, self.fixtures)]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        return now.body(goal.object).value > PRESSED
