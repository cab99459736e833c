"""Rungs of guidance under one budget of steps: what each use of demonstrations is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mmil.algos.interaction import Course, Interaction
from mmil.contracts import UserError, require_number
from mmil.evaluation.runs import Suite
from mmil.evaluation.statistics import paired
from mmil.evaluation.suites import load_suite
from mmil.reinforcing.experience import Budget, Round
from mmil.reinforcing.guidance import Guidance
from mmil.reinforcing.learner import Learner
from mmil.reinforcing.rl import CLONED, REINFORCED, curves_of, write_curves
from mmil.run import RunFolder

RUNGS = {
    "scratch": Guidance(cloned=False),
    "init": Guidance(),
    "guided": Guidance(cloned=False, shown=0.5, led=0.5),
    "hybrid": Guidance(shown=0.5, imitation=1.0),
}


class Ladder(Interaction):
    """One clone, and of it a policy for each of `rungs` (name → Guidance), each learnt with the same budget.

    All see by the clone's perception, which stays as it is; the run that is left is the last rung's. suite, trials,
    trial_seed: what each is judged on at its end, and the clone before. level: of success on the way, for the steps
    that it takes to get there.
    """

    def __init__(
        self,
        *,
        learner: Callable[[], Learner],
        budget: Budget,
        rungs: Mapping[str, Guidance] | None = None,
        spread: float = 0.4,
        suite: str = "seen",
        trials: int = 100,
        trial_seed: int = 0,
        level: float = 0.95,
        workers: int | None = None,
    ) -> None:
        require_number(least=1, trials=trials)
        require_number(least=0, trial_seed=trial_seed)
        if not 0 < level <= 1:
            raise UserError(f"level is {level}; it is a share of trials, above 0 and at most 1")
        load_suite(suite)  # refused now if at all
        self.rungs = dict(RUNGS if rungs is None else rungs)
        if not self.rungs or CLONED in self.rungs:
            raise UserError(f"rungs are {', '.join(self.rungs) or 'none'}; name some, as {', '.join(RUNGS)}")
        if not budget.trials:
            raise UserError(f"trials of the budget is 0, but who got to {level:.0%} when is seen by trials on the way")
        self.budget, self.spread, self.level, self.workers = budget, spread, level, workers
        self._judging: dict[str, Any] = {"suite": suite, "trials": trials, "seed": trial_seed}

    def learn(self, course: Course) -> Sequence[str]:
        clone = course.train(course.out / CLONED)
        first, lines = course.evaluate(clone, **self._judging), list[str]()
        lines.append(f"{CLONED:<10}{first.success}")
        curves: dict[str, list[Round]] = {}
        for name, guidance in self.rungs.items():
            course.tell(f"{name}: {self.budget.steps} steps")
            run = course.train(course.out / name, interaction=self._rung(course, str(clone), guidance))
            judged = course.evaluate(run, **self._judging)
            curves[name] = curves_of(run)[REINFORCED]
            write_curves(course.out, curves)
            lines.append(f"{name:<10}{self._told(curves[name], judged, first)}")
        last = RunFolder.open(course.out / name)
        RunFolder(course.out).become(last)
        return lines

    def _rung(self, course: Course, clone: str, guidance: Guidance) -> dict[str, Any]:
        told = {"learner": course.itself["learner"], "budget": asdict(self.budget), "guidance": asdict(guidance)}
        told |= {"spread": self.spread, "run": clone, "workers": self.workers}
        return {"class_path": "mmil.reinforcing.RL", "init_args": told}

    def _told(self, rounds: Sequence[Round], judged: Suite, first: Suite) -> str:
        there = steps_to(rounds, self.level)
        reached = f"{self.level:.0%} on the way after {there} steps" if there is not None else f"never {self.level:.0%}"
        return f"{judged.success}, against the clone {paired(judged.trials, first.trials).difference}; {reached}"


def steps_to(rounds: Sequence[Round], level: float) -> int | None:
    """That were made before so many of the trials on the way were reached, if they ever were."""
    steps = [0, *(one.steps for one in rounds)]
    for before, one in zip(steps, rounds, strict=False):
        if one.trials and one.trials["successes"] >= level * one.trials["n"]:
            return before
    return None
