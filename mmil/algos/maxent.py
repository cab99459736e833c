"""Maximum entropy IRL on the toy: what was wanted is inferred, planned for, and what the plans do is cloned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmil.algos.interaction import Course, Interaction
from mmil.contracts import UserError, require_number
from mmil.data.dataset import Dataset
from mmil.data.shards import write_atomic
from mmil.evaluation.statistics import wilson
from mmil.rewards.maxent import fit_maxent
from mmil.rewards.plane import SCENE, Plane, shown_of
from mmil.rewards.planned import keep_weights
from mmil.run import RunFolder

WEIGHTS, FITTED = "weights.json", "fitted.json"  # in the run's folder


class MaxEnt(Interaction):
    """Neither the plans nor the policy that is cloned from them see the scene's own reward or the expert's actions.

    shown: demonstrations that are learnt from, of which counts of what they met are all that matters. decay, steps: see
    fit_maxent. judged: layouts in which the plans and the expert are compared. taught: episodes by plans, for the
    policy.
    """

    def __init__(
        self, *, shown: int = 20, decay: float = 1e-5, steps: int = 50, judged: int = 100, taught: int = 150
    ) -> None:
        require_number(least=1, shown=shown, steps=steps, judged=judged, taught=taught)
        require_number(least=0, decay=decay)
        self.shown, self.decay, self.steps, self.judged, self.taught = shown, decay, steps, judged, taught

    def learn(self, course: Course) -> Sequence[str]:
        if (scene := Dataset.open(course.data).spec.scene) != SCENE:
            raise UserError(f"{course.data} is of scene {scene}; the cells that this plans in are the {SCENE}'s")
        if not (course.out / WEIGHTS).is_file():
            self._infer(course)
        told = {"weights": str(course.out / WEIGHTS), "horizon": int(course.made_with["horizon"])}
        planned = {"class_path": "mmil.rewards.Planned", "init_args": told}
        lines = [*_lines(course.out), *self._compared(course, {"expert": course.expert, "plans": planned})]
        taught = self._played(course, planned, "taught", episodes=self.taught)
        run = course.train(course.out / "cloned", data=taught, more=[])
        RunFolder(course.out).become(RunFolder.open(run))
        return lines

    def _infer(self, course: Course) -> None:
        dataset, plane, horizon = Dataset.open(course.data), Plane(), int(course.made_with["horizon"])
        course.tell(f"what {min(self.shown, len(dataset))} demonstrations met, and the weights that explain it")
        numbers = range(min(self.shown, len(dataset)))
        problems, met = zip(*(shown_of(plane, dataset.episode(i), horizon=horizon) for i in numbers), strict=True)
        fitted = fit_maxent(problems, met, decay=self.decay, steps=self.steps)[0]
        write_atomic(course.out / FITTED, json.dumps({"shown": len(numbers), "gap": fitted.gap}).encode() + b"\n")
        keep_weights(course.out / WEIGHTS, fitted.weights)

    def _compared(self, course: Course, actors: dict[str, dict[str, Any]]) -> list[str]:
        """What each collects of the scene's reward, in the same layouts."""
        lines = []
        for name, actor in actors.items():
            rows = Dataset.open(self._played(course, actor, "judged", who=name, episodes=self.judged)).rows
            reached, steps = sum(row.outcome == "success" for row in rows), np.mean([row.steps for row in rows])
            success = wilson(reached, len(rows))
            lines.append(f"{name:<8}collect {reached / len(rows):.3f} an episode in {steps:.1f} steps: {success}")
        return lines

    def _played(self, course: Course, actor: dict[str, Any], name: str, *, episodes: int, who: str = "plans") -> Path:
        told = {"actor": actor, "expert": None, "keep": "all", "episodes": episodes, "seed": course.seed(name)}
        return course.generate(course.out / name / who, **told)


def _lines(out: Path) -> list[str]:
    weights, fitted = (json.loads((out / name).read_text()) for name in (WEIGHTS, FITTED))
    told = ", ".join(f"{name} {weight:+.2f}" for name, weight in weights.items())
    return [f"of {fitted['shown']} demonstrations: {told}; counts met to {fitted['gap']:.4f}"]
