"""`lift`: a thing up from the table, in the hand."""

from __future__ import annotations

from collections.abc import Sequence

from mmil.contracts import Goal, State
from mmil.scenes.skills.skill import Skill, things

LIFTED = 0.04  # [m], the bottom of a thing above the table, as in robosuite's Lift


class Lift(Skill):
    """Any thing, 4 cm up and held by both fingers."""

    verb, grasps = "lift", True

    def goals(self, start: State) -> Sequence[Goal]:
        return [Goal(self.verb, body.thing) for body in things(start)]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        body = now.body(goal.object)
        return body.held and body.position[2] - body.half_size[2] > now.table_height + LIFTED
