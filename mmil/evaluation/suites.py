"""Suites: what a policy is told, and what it is shown, in trials whose seeds training never had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from mmil.contracts import Goal, UserError
from mmil.language.grammar import Grammar
from mmil.seeds import sentence_rng, trial_seed

FOLDER = Path(__file__).parents[2] / "configs" / "evaluate"
ORDER = ("seen", "paraphrase", "camera", "wrong", "null")  # as reports show them; others follow by name
Sentences = Literal["train", "held_out", "irrelevant"]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """sentences: which part of the bank. cameras: which band. told: the goal that was drawn, or another feasible one.

    layouts: of which suite the seeds are; its own unless named, so that two suites can be compared on the same scenes.
    """

    name: str
    sentences: Sentences = "train"
    cameras: Literal["none", "train", "held_out"] = "train"
    told: Literal["drawn", "other"] = "drawn"
    layouts: str = ""

    def seed(self, seed: int, index: int) -> int:
        return trial_seed(self.layouts or self.name, seed, index)

    def scene_config(self, config: Mapping[str, Any], *, horizon: int) -> dict[str, Any]:
        """The scene the data were made in, with this suite's cameras and a trial's time."""
        options = {**(config.get("init_args") or {}), "horizon": horizon}
        options["randomisation"] = {**(options.get("randomisation") or {}), "cameras": self.cameras}
        return {**config, "init_args": options}


def suite_names() -> list[str]:
    """Every suite there is: a YAML each."""
    found = {path.stem for path in FOLDER.glob("*.yaml")}
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


def load_suite(name: str) -> Suite:
    """The suite of configs/evaluate/<name>.yaml."""
    if name not in suite_names():
        raise UserError(f"no suite {name!r}; there are {', '.join(suite_names())}, and all")
    data = yaml.safe_load((FOLDER / f"{name}.yaml").read_text()) or {}
    try:
        return Suite(name=name, **data)
    except TypeError as error:
        raise UserError(f"configs/evaluate/{name}.yaml: {error}") from None


def choose(
    suite: Suite,
    *,
    seed: int,
    drawn: Goal,
    goals: Sequence[Goal],
    grammar: Grammar,
    own: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Goal, str]:
    """The goal that is judged and the sentence that is said, from the trial's seed alone."""
    rng = sentence_rng(seed)
    goal = drawn
    if suite.told == "other":
        others = [one for one in goals if one.object != drawn.object]
        goal = others[int(rng.integers(len(others)))]
    if own is not None:
        templates = own.get(goal.verb)
        if not templates:
            raise UserError(f"no sentences of yours for {goal.verb}; there are some for {', '.join(own)}")
        return goal, grammar.fill(templates[int(rng.integers(len(templates)))], goal)
    if suite.sentences == "irrelevant":
        return goal, grammar.null[int(rng.integers(len(grammar.null)))]
    return goal, grammar.sample(goal, suite.sentences, np.random.default_rng(rng.integers(2**63)))
