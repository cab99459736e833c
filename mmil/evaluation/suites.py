"""Suites: what a policy is told, and what it is shown, in trials whose seeds training never had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import yaml

from mmil.contracts import Body, Goal, Split, UserError
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
        """The scene the data were made in, with this suite's cameras and goals and a trial's time."""
        options = {**(config.get("init_args") or {}), "horizon": horizon}
        randomisation = {**(options.get("randomisation") or {}), "cameras": self.cameras}
        if self.goals == "held_out" and "held_out" in randomisation:
            randomisation["held_out"] = []  # layouts are drawn for a verb, and this may be one that training left out
        options["randomisation"] = randomisation
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


def aim(suite: Suite, *, seed: int, held: Compositions) -> Compositions:
    """What a trial is to show: of held-out compositions one, or those that most layouts offer would be most trials."""
    if suite.goals != "held_out" or not held:
        return held
    return Compositions((_one_of(held.held_out, sentence_rng(seed)),))


def choose(
    suite: Suite,
    *,
    seed: int,
    drawn: Goal,
    goals: Sequence[Goal],
    grammar: Grammar,
    own: Mapping[str, Sequence[str]] | None = None,
    held: Compositions = NOTHING,
    among: Sequence[Body] = (),
    references: float = 0.0,
) -> tuple[Goal, str] | None:
    """The goal that is judged and the sentence that is said, from the trial's seed alone.

    `held` is what the data set held out, `references` the share of its sentences that say a thing by what is `among`
    others; None where this layout offers no goal of the suite.
    """
    rng = sentence_rng(seed)
    goal = _goal(suite, rng, drawn=drawn, goals=goals, held=held)
    if goal is None:
        return None
    if own is not None:
        templates = own.get(goal.verb)
        if not templates:
            raise UserError(f"no sentences of yours for {goal.verb}; there are some for {', '.join(own)}")
        return goal, grammar.fill(templates[int(rng.integers(len(templates)))], goal)
    if suite.sentences == "irrelevant":
        return goal, grammar.null[int(rng.integers(len(grammar.null)))]
    rng = np.random.default_rng(rng.integers(2**63))
    return goal, grammar.sample(goal, suite.sentences, rng, among=among, references=references)


def _goal(
    suite: Suite, rng: np.random.Generator, *, drawn: Goal, goals: Sequence[Goal], held: Compositions
) -> Goal | None:
    """The drawn one; where training leaves it out another, of a verb that is drawn first, or of a composition."""
    kinds = _held_out(drawn, goals, held) if suite.goals == "held_out" else _trained(drawn, goals, held)
    if not kinds:
        return None
    if suite.goals == "held_out" or held.excludes(drawn):
        drawn = _one_of(_one_of(kinds, rng), rng)
    if suite.told == "drawn":
        return drawn
    others = [goal for kind in kinds for goal in kind if goal.object != drawn.object]
    return _one_of(others, rng) if others else None


def _held_out(drawn: Goal, goals: Sequence[Goal], held: Compositions) -> list[list[Goal]]:
    """The goals of each composition that can be asked for here, in its manner if it has one."""
    manners = [(one, dict(one.items).get("manner", drawn.manner)) for one in held.held_out]
    kinds = [[told for goal in goals if one.matches(told := _in(goal, manner))] for one, manner in manners]
    return [kind for kind in kinds if kind]


def _trained(drawn: Goal, goals: Sequence[Goal], held: Compositions) -> list[list[Goal]]:
    """The goals of each verb that training may ask for, in the drawn manner where it may."""
    every = ([_in(goal, manner) for goal in goals] for manner in (drawn.manner, None))
    told = next(filter(None, (held.of_split(some, "train") for some in every)), [])
    return [[goal for goal in told if goal.verb == verb] for verb in dict.fromkeys(goal.verb for goal in told)]


def _in(goal: Goal, manner: str | None) -> Goal:
    """Scenes offer goals without a manner, and each can be asked for in any."""
    return goal if goal.manner else goal.done(manner)


def _one_of(options: Sequence[Any], rng: np.random.Generator) -> Any:
    return options[int(rng.integers(len(options)))]
