"""`stack`: a thing on top of another one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmil.contracts import Body, Goal, State
from mmil.scenes.skills.skill import Skill, let_go, things

ALIGNED = 0.9  # of the lower thing's half width, between the two middles
GAP = 0.008  # [m], between the two faces
TOPS, FEET = ("cube", "bar"), ("cube", "cylinder", "bar", "bread", "can")  # what can stand on what


class Stack(Skill):
    """A thing that stands on top of a flat one, let go."""

    verb, grasps, shapes, others = "stack", True, TOPS, FEET

    def goals(self, start: State) -> Sequence[Goal]:
        lower = [body for body in things(start) if body.thing.shape in TOPS]
        upper = [body for body in things(start) if body.thing.shape in FEET]
        return [Goal(self.verb, a.thing, target=b.thing) for a in upper for b in lower if a is not b and _fits(a, b)]

    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        assert goal.target is not None, "a thing is stacked on another one"
        upper, lower = now.body(goal.object), now.body(goal.target)
        offset = upper.position - lower.position
        gap = offset[2] - upper.half_height - lower.half_height
        aligned = float(np.linalg.norm(offset[:2])) < ALIGNED * max(lower.half_size[:2])
        return let_go(upper) and aligned and abs(gap) < GAP


def _fits(upper: Body, lower: Body) -> bool:
    """A wide thing on a narrow one would tip."""
    return min(upper.half_size[:2]) < 1.4 * min(lower.half_size[:2])
