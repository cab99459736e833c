"""Suites: what a policy is told, and what it is shown, in trials whose seeds training never had."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_type_hints

import numpy as np
import yaml

from mmil.contracts import Body, Goal, Split, UserError
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar
from mmil.language.instructions import sayable
from mmil.seeds import sentence_rng, trial_seed

FOLDER = Path(__file__).parents[2] / "configs" / "evaluate"
ORDER = ("seen", "paraphrase", "composition", "camera", "manner", "wrong", "null")  # as reports show them
NOTHING = Compositions()
OVER_AT_ONCE = ("touch",)  # verbs that whatever a hand does to anything has done
OVER_ON_THE_WAY = ("touch", "lift")  # and that bringing something somewhere has
Sentences = Literal["train", "held_out", "irrelevant"]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """sentences: which part of the bank. cameras: which band; train: the one that the data have. told: the goal that
    was drawn, or another feasible one. goals: those of training, or the compositions that the data set held out of it.
    manner: as it was drawn, or one always. layouts: of which suite the seeds are; its own unless named, so that two
    suites can be compared on the same scenes.
    """

    name: str
    sentences: Sentences = "train"
    cameras: Literal["none", "train", "held_out"] = "train"
    told: Literal["drawn", "other"] = "drawn"
    goals: Split = "train"
    manner: Literal["drawn", "always"] = "drawn"
    layouts: str = ""

    def seed(self, seed: int, index: int) -> int:
        return trial_seed(self.layouts or self.name, seed, index)

    def scene_config(self, config: Mapping[str, Any], *, horizon: int) -> dict[str, Any]:
        """The scene the data were made in, with this suite's cameras and goals and a trial's time."""
        options = {**(config.get("init_args") or {}), "horizon": horizon}
        randomisation = dict(options.get("randomisation") or {})
        if self.cameras != "train" or "cameras" not in randomisation:
            randomisation["cameras"] = self.cameras
        if self.goals == "held_out" and "held_out" in randomisation:
            randomisation["held_out"] = []  # layouts are drawn for a verb, and this may be one that training left out
        if self.manner == "always":
            options["manners"] = 1.0
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


class Choice(NamedTuple):
    """A trial's goal and sentence, and the goal that its layout is about, which is another where `told: other`."""

    goal: Goal
    sentence: str
    about: Goal


def choose(
    suite: Suite,
    *,
    seed: int,
    drawn: Goal,
    goals: Sequence[Goal],
    grammar: Grammar,
    verb: str | None = None,
    own: Mapping[str, Sequence[str]] | None = None,
    held: Compositions = NOTHING,
    among: Sequence[Body] = (),
    references: float = 0.0,
    offers: Callable[[Goal], bool] = lambda goal: True,
) -> Choice | None:
    """What is judged and what is said, from the trial's seed alone; None where this layout offers no goal of the suite.

    verb: that the trial is about, if any. held: what the data set held out. references: the share of its sentences
    that say a thing by what is `among` others. offers: which goals can be told in their manner.
    """
    rng = sentence_rng(seed)
    if own is not None and suite.manner == "drawn":
        drawn = drawn.done(None)  # sentences of one's own say nothing of a manner
    if suite.goals == "held_out":
        kinds = _held_out(drawn, goals, held, offers)
    else:
        kinds = _trained(drawn, goals, held, offers, verb)
    if own is not None:
        kinds = [some for kind in kinds if (some := [goal for goal in kind if sayable(own, goal, grammar)])]
    if suite.manner == "always":
        kinds = [some for kind in kinds if (some := [goal for goal in kind if goal.manner])]
    about = _about(suite, rng, drawn=drawn, kinds=kinds, verb=verb)
    goal = _other(about, [goal for kind in kinds for goal in kind], rng) if suite.told == "other" and about else about
    if goal is None or about is None:
        return None
    return Choice(goal, _said(suite, goal, rng, grammar=grammar, own=own, among=among, references=references), about)


def _said(
    suite: Suite,
    goal: Goal,
    rng: np.random.Generator,
    *,
    grammar: Grammar,
    own: Mapping[str, Sequence[str]] | None,
    among: Sequence[Body],
    references: float,
) -> str:
    if own is not None:
        return grammar.mannered(grammar.fill(_one_of(sayable(own, goal, grammar), rng), goal), goal, rng)
    if suite.sentences == "irrelevant":
        return grammar.null[int(rng.integers(len(grammar.null)))]
    rng = np.random.default_rng(rng.integers(2**63))
    return grammar.sample(goal, suite.sentences, rng, among=among, references=references)


def _about(
    suite: Suite,
    rng: np.random.Generator,
    *,
    drawn: Goal,
    kinds: list[list[Goal]],
    verb: str | None,
) -> Goal | None:
    """The drawn goal; where it is none of the suite's another, of a verb that is drawn first, or of a composition."""
    if suite.goals == "train":
        kinds = [kind for kind in kinds if verb in (None, kind[0].verb)]
        if any(drawn in kind for kind in kinds):
            return drawn
    return _one_of(_one_of(kinds, rng), rng) if kinds else None


def _other(about: Goal, goals: Sequence[Goal], rng: np.random.Generator) -> Goal | None:
    """Another goal: with another object, or another target or relation, or of another verb; each as often.

    What is done to the same thing with another verb could reach a goal that has no target on its way (lifting it
    touches it, placing it lifts it), so that it would say nothing about listening: that one is left out. So is one that
    would be over, well or badly, while the first is still on its way: who was told to lift a ball and places a cube has
    lifted the wrong thing before anybody can see that he did not listen.
    """
    same = [goal for goal in goals if goal.verb == about.verb]
    aims = about.target is not None or about.relation is not None
    others = [
        [goal for goal in same if goal.object != about.object],
        [goal for goal in same if goal.object == about.object and goal.done(None) != about.done(None)],
        [
            goal
            for goal in goals
            if goal.verb != about.verb
            and (aims or goal.object != about.object)
            and goal.verb not in (OVER_ON_THE_WAY if about.target else OVER_AT_ONCE)
        ],
    ]
    some = [kind for kind in others if kind]
    return _one_of(_one_of(some, rng), rng) if some else None


def difference(told: Goal, about: Goal) -> str:
    """In what the goal that was told differs from the other one: its verb, its object, or what is to be with it."""
    if told.verb != about.verb:
        return "verb"
    return "object" if told.object != about.object else "target or relation"


def _held_out(
    drawn: Goal, goals: Sequence[Goal], held: Compositions, offers: Callable[[Goal], bool]
) -> list[list[Goal]]:
    """The goals of each composition that can be asked for here, in its manner if it has one."""
    manners = [(one, dict(one.items).get("manner", drawn.manner)) for one in held.held_out]
    kinds = [
        [told for goal in goals if one.matches(told := _in(goal, manner)) and offers(told)] for one, manner in manners
    ]
    return [kind for kind in kinds if kind]


def _trained(
    drawn: Goal, goals: Sequence[Goal], held: Compositions, offers: Callable[[Goal], bool], verb: str | None
) -> list[list[Goal]]:
    """The goals of each verb that training may ask for, in the drawn manner where it may, and `verb` with it."""
    kinds: list[list[Goal]] = []
    for manner in dict.fromkeys((drawn.manner, None)):
        told = held.of_split([one for goal in goals if offers(one := _in(goal, manner))], "train")
        kinds = [[goal for goal in told if goal.verb == verb] for verb in dict.fromkeys(goal.verb for goal in told)]
        if kinds and verb in (None, *(kind[0].verb for kind in kinds)):
            return kinds
    return kinds


def _in(goal: Goal, manner: str | None) -> Goal:
    """Scenes offer goals without a manner, and each can be asked for in any."""
    return goal if goal.manner else goal.done(manner)


def _one_of(options: Sequence[Any], rng: np.random.Generator) -> Any:
    return options[int(rng.integers(len(options)))]
