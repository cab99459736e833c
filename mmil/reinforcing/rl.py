"""Reinforcement: a cloned policy's perception stays, and its actions are shifted to where more is reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmil.algos.interaction import Course, Interaction
from mmil.contracts import require_number
from mmil.data.shards import write_atomic
from mmil.evaluation.runs import CURVES
from mmil.evaluation.statistics import wilson
from mmil.reinforcing.experience import Budget, Experience, Round
from mmil.reinforcing.fitting import fit
from mmil.reinforcing.ground import Ground
from mmil.reinforcing.guidance import Guidance
from mmil.reinforcing.learner import Learner
from mmil.run import RunFolder

CLONED, REINFORCED = "cloned", "reinforced"  # in the run's folder
GUIDED = Guidance()


class RL(Interaction):
    """Clone, then let a learner shift what the clone does (head: mmil.heads.Corrected) by what that leads to.

    learner, budget, guidance: how, how much, and what is made of demonstrations. spread: of what is tried at first
    where the clone does not lead; then its perception alone is kept. run: a finished run to begin with, in place of a
    clone that is trained first.
    """

    def __init__(
        self,
        *,
        learner: Callable[[], Learner],
        budget: Budget,
        guidance: Guidance = GUIDED,
        spread: float = 0.4,
        run: Path | None = None,
        workers: int | None = None,
    ) -> None:
        require_number(above=0, below=1, spread=spread)
        self.learner, self.budget, self.guidance = learner, budget, guidance
        self.spread, self.run, self.workers = spread, run, workers

    def learn(self, course: Course) -> Sequence[str]:
        clone = self.run or course.train(course.out / CLONED)
        out = course.out / REINFORCED
        rounds = self._reinforced(course, clone, out)
        write_curves(course.out, {REINFORCED: rounds})
        RunFolder(course.out).become(RunFolder.open(out))
        return told(rounds)

    def _reinforced(self, course: Course, clone: Path, out: Path) -> list[Round]:
        """Rounds until the budget is spent; the finished run is in `out`."""
        import torch

        from mmil.reinforcing.demonstrations import attempts_of, followed_of
        from mmil.reinforcing.explorer import corrected
        from mmil.reinforcing.memory import Memory
        from mmil.run import load_policy

        torch.manual_seed(course.seed(REINFORCED) & 0xFFFFFFFF)
        policy = load_policy(clone)
        if not self.guidance.cloned:
            corrected(policy).follow(spread=self.spread)
        learner = self.learner()
        learner.guidance = self.guidance
        learner.begin(policy)
        memory = Memory(shown=self.guidance.shown)
        if self.guidance.shows:
            course.tell(f"demonstrations of {course.data}, as this policy sees them")
            memory.show(attempts_of(policy, course.data))
        experience = Experience(
            learner,
            folder=out,
            ground=self._ground(course, clone),
            budget=self.budget,
            memory=memory,
            followed=followed_of(course.data) if self.guidance.led else (),
            workers=self.workers,
        )
        return fit(learner, experience, clone=RunFolder.open(clone), out=out, config=_inner(course))

    def _ground(self, course: Course, clone: Path) -> Ground:
        made = course.made_with
        return Ground(
            run=clone,
            scene=made["scene"],
            seed=course.seed(REINFORCED),
            horizon=int(made["horizon"]),
            references=float(made.get("references") or 0.0),
            leads=self.guidance.cloned,
        )


def told(rounds: Sequence[Round]) -> list[str]:
    """How it went: trials on the way, and how many of the attempts of late were reached."""
    lines = []
    for one in rounds:
        if one.trials:
            success = wilson(one.trials["successes"], one.trials["n"])
            lines.append(f"{one.steps:>8} steps  trials on the way {success}")
    late = [one for one in rounds if one.free][-5:]
    successes, free = sum(one.successes for one in late), sum(one.free for one in late)
    if free:
        lines.append(f"{late[-1].steps:>8} steps  attempts of late {wilson(successes, free)}")
    return lines


def write_curves(run: Path, curves: Mapping[str, Sequence[Round]]) -> None:
    """What reports read."""
    told = {name: [asdict(one) for one in rounds] for name, rounds in curves.items()}
    write_atomic(run / CURVES, json.dumps(told, indent=1).encode() + b"\n")


def curves_of(run: Path) -> dict[str, list[Round]]:
    """What write_curves wrote."""
    return {name: [Round(**one) for one in rows] for name, rows in json.loads((run / CURVES).read_text()).items()}


def _inner(course: Course) -> dict[str, Any]:
    return {**course.training, "interaction": dict(course.itself)}
