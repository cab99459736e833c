"""Reinforcement of a small clone on the toy."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mmil.algos.interaction import Course
from mmil.reinforcing import RL, SAC, Budget, Guidance
from mmil.run import RunFolder
from tests.toy import mmil, training

HEAD = {"class_path": "mmil.heads.Corrected", "init_args": {"head": {"class_path": "mmil.heads.Mixture"}}}
BUDGET = Budget(steps=240, episodes=4, trials=2, every=120, patience=None)
GUIDANCE = Guidance(shown=0.5, imitation=1.0, led=0.5)


def course(data: Path, out: Path, *, head=HEAD, **itself: Any) -> Course:
    out.mkdir(parents=True, exist_ok=True)
    config = training(out.parent)
    config["algo"]["init_args"]["policy"]["init_args"]["head"] = head
    RunFolder.claim(out, config)
    return Course(data, out, config, itself, mmil)


def learnt(data: Path, clone: Path, out: Path, learner=SAC, *, itself: dict[str, Any] | None = None, **options) -> Path:
    """itself: the config of the interaction, where something of it is read."""
    guidance = replace(GUIDANCE, shown=0.5 if learner is SAC else 0.0)
    told = {"learner": partial(learner, warmup=0), "budget": BUDGET, "guidance": guidance, "run": clone, "workers": 1}
    RL(**{**told, **options}).learn(course(data, out, **(itself or {})))
    return out
