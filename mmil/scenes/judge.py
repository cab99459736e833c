"""How an episode ends: the goal that was told, or another thing's in its place, reached for long enough."""

from __future__ import annotations

from collections.abc import Sequence

from mmil.contracts import HELD_STEPS, Goal, Outcome, State
from mmil.scenes.manner import Course, fulfilled
from mmil.scenes.skills.skill import Skill

UP = 0.01  # [m], off the table: from here a thing can be dropped


class Judge:
    """Called with every state of an episode; it remembers what an outcome needs of those before."""

    def __init__(self, skill: Skill, goal: Goal, goals: Sequence[Goal], start: State) -> None:
        self._skill, self._goal, self._start = skill, goal, start
        # the same done to another thing is what a wrong thing is
        plain = goal.done(None)
        others = [
            other
            for other in goals
            if other.verb == goal.verb and (other.object, other.target) != (plain.object, plain.target)
        ]
        self._candidates = [plain, *others]
        self._reached: Goal | None = None
        self._steps = 0  # that it has been
        self._was_held = self._closed_on_nothing = False
        self.course = Course(start)

    def __call__(self, state: State, *, over: bool) -> Outcome | None:
        """None while the episode goes on; `over` says that its time is."""
        self.course.add(state)
        reached = self._now_reached(state)
        self._steps = self._steps + 1 if reached == self._reached else 1
        self._reached = reached
        body = state.body(self._goal.object)
        self._was_held |= body.held and body.position[2] > state.table_height + body.half_size[2] + UP
        self._closed_on_nothing |= state.gripper_command > 0 and state.gripper_width < 0.01
        if reached is not None and self._steps >= HELD_STEPS:
            return self._verdict(reached)
        if not over:
            return None
        if self._was_held and not body.held:
            return "dropped"
        return "missed" if self._skill.grasps and self._closed_on_nothing else "timeout"

    def _verdict(self, reached: Goal) -> Outcome:
        if reached != self._candidates[0]:
            return "wrong_object"
        return "success" if fulfilled(self._goal, self.course.measures) else "wrong_manner"

    def _now_reached(self, state: State) -> Goal | None:
        return next(
            (goal for goal in self._candidates if self._skill.reached(goal, start=self._start, now=state)), None
        )
