"""Suites: what a policy is told, and what it is shown, in trials whose seeds training never had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import yaml

from mmil.contracts import Goal, Split, UserError
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar
from mmil.seeds import sentence_rng, trial_seed

FOLDER = Path(__file__).parents[2] / "configs" / "evaluate"
ORDER = ("seen", "paraphrase", "camera", "wrong", "null")  # as reports show them; others follow by name
NOTHING = Compositions()
Sentences = Literal["train", "held_out", "irrelevant"]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """sentences: which part of the bank. cameras: which band. told: the goal that was drawn, or another feasible one.

    goals: those of training, or the compositions that the data set held out of it. layouts: of which suite the seeds
    are; its own unless named, so that two suites can be compared on the same scenes.
    """

    name: str
    sentences: Sentences = "train"
    cameras: Literal["none", "train", "held_out"] = "train"
    told: Literal["drawn", "other"] = "drawn"
    goals: Split = "train"
    layouts: str = ""

    def seed(self, seed: int, index: int) -> int:
        return trial_seed(self.layouts or self.name, seed, index)

    def scene_config(self, config: Mapping[str, Any], *, horizon: int) -> dict[str, Any]:
        """The scene the data were made in, with this suite's cameras and a trial's time."""
        options = {**(config.get("init_args") or {}), "horizon": horizon}
        options["randomisation"] = {**(options.get("randomisation") or {}), "cameras": self.cameras}
        return {**config, "init_args": options}


_CHOICES = {key: get_args(kind) for key, kind in get_type_hints(Suite).items() if get_args(kind)}


def suite_names() -> list[str]:
    """Every suite there is: a YAML each."""
    found = {path.stem for path in FOLDER.glob("*.yaml")}
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


def load_suite(name: str) -> Suite:
    """The suite of configs/evaluate/<name>.yaml."""
    if name not in suite_names():
        raise UserError(f"no suite {name!r}; there are {', '.join(suite_names())}, and all")
    data = yaml.safe_load((FOLDER / f"{name}.yaml").read_text()) or {}
    for key, options in _CHOICES.items():
        if data.get(key, options[0]) not in options:
            raise UserError(f"configs/evaluate/{name}.yaml: no {key} {data[key]!r}; there are {', '.join(options)}")
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
    held: Compositions = NOTHING,
) -> tuple[Goal, str] | None:
    """The goal that is judged and the sentence that is said, from the trial's seed alone.

    `held` is what the data set held out; None where this layout offers no goal of the suite.
    """
    rng = sentence_rng(seed)
    goal = _goal(suite, rng, drawn=drawn, goals=held.of_split(goals, suite.goals), held=held)
    if goal is None:
        return None
    if own is not None:
        templates = own.get(goal.verb)
        if not templates:
            raise UserError(f"no sentences of yours for {goal.verb}; there are some for {', '.join(own)}")
        return goal, grammar.fill(templates[int(rng.integers(len(templates)))], goal)
    if suite.sentences == "irrelevant":
        return goal, grammar.null[int(rng.integers(len(grammar.null)))]
    return goal, grammar.sample(goal, suite.sentences, np.random.default_rng(rng.integers(2**63)))


def _goal(
    suite: Suite, rng: np.random.Generator, *, drawn: Goal, goals: Sequence[Goal], held: Compositions
) -> Goal | None:
    """The drawn one; where training leaves it out another, of a verb that is drawn first, or of a composition."""
    if drawn not in goals or suite.goals == "held_out":
        kinds: dict[Any, list[Goal]] = {}
        for goal in goals:
            for kind in held.matching(goal) or (goal.verb,):
                kinds.setdefault(kind, []).append(goal)
        if not kinds:
            return None
        drawn = _one_of(_one_of(list(kinds.values()), rng), rng)
    if suite.told == "drawn":
        return drawn
    others = [goal for goal in goals if goal.object != drawn.object]
    return _one_of(others, rng) if others else None


def _one_of(options: Sequence[Any], rng: np.random.Generator) -> Any:
    return options[int(rng.integers(len(options)))]
