"""`touch`: the finger tips on a thing, which stays where it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmil.contracts import Goal, State
from mmil.scenes.skills.skill import Skill, things

LEFT_ALONE = 0.03  # [m] a touched thing may move


class Touch(Skill):
    """Any thing, touched by the hand and hardly moved."""

    verb = "touch"

    def goals(self, start: State) -> Sequence[Goal]:
        return [Goal(self.verb, body.thing) for body in things(start)]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        body = now.body(goal.object)
        return body.touched and float(np.linalg.norm(body.position - start.body(goal.object).position)) < LEFT_ALONE
