"""What can be said against the sentences and goals of a data set: leaks, what is held out, and what is true nowhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmil.contracts import BODY_POSES, Episode, Goal, Thing, UserError
from mmil.data.dataset import Dataset
from mmil.data.sentences import read_sentences
from mmil.data.shards import Row
from mmil.language.bank import Bank
from mmil.language.compositions import Compositions
from mmil.language.coverage import Coverage
from mmil.language.leaks import overlaps


@dataclass(frozen=True)
class Stood:
    """A thing, and where it was when the sentence was said."""

    thing: Thing
    position: np.ndarray  # float32 (3,) [m], world


@dataclass(frozen=True)
class Checker:
    """A worker's own data set; the grammar is read where an episode asks for it."""

    path: Path
    load: Callable[[], Any]

    @cached_property
    def dataset(self) -> Dataset:
        return Dataset.open(self.path)

    def sentence_reasons(self, row: Row, episode: Episode) -> Iterator[str]:
        """Unless its sentence is among those of its goal, it has to mean the goal by what was there."""
        if row.references != episode.references:
            yield f"its index names {len(row.references)} other references than the {len(episode.references)} it has"
        for sentence in (row.instruction, *row.references):
            if sentence not in self._said.get(row.goal, ()) and not self._refers(sentence, row.goal, episode):
                known = f"among the manifest's sentences for {row.goal}"
                yield f"{sentence!r} is not {known}, nor does it refer to it there"

    def _refers(self, sentence: str, goal: Goal, episode: Episode) -> bool:
        with suppress(UserError):  # what the bank has no words for, it did not say
            return bool(self._grammar.says(sentence, goal, "train", among=stood(episode)))
        return False

    @cached_property
    def _said(self) -> dict[Goal, frozenset[str]]:
        return {goal: frozenset(sentences) for goal, sentences in read_sentences(self.dataset.manifest).items()}

    @cached_property
    def _grammar(self) -> Any:
        return self.load()


def stood(episode: Episode) -> list[Stood]:
    """What was there at the beginning; nothing where nobody wrote it down."""
    poses = episode.privileged.get(BODY_POSES)
    if poses is None or poses.ndim != 3 or poses.shape[1] != len(episode.things):
        return []
    return [Stood(thing, pose[:3]) for thing, pose in zip(episode.things, poses[0], strict=True)]


def leak_reasons(dataset: Dataset, grammar: Bank) -> list[str]:
    """Of every sentence that is trained on, whether of a goal or of a scene."""
    said = {goal: set(sentences) for goal, sentences in read_sentences(dataset.manifest).items()}
    for row in dataset.rows:
        said.setdefault(row.goal, set()).update((row.instruction, *row.references))
    return training_leaks(grammar, said)


def training_leaks(grammar: Bank, said: Mapping[Goal, Collection[str]]) -> list[str]:
    """A reason a sentence of training that is held out, or nearly; of verbs that the bank has no words for, none."""
    ours = [sentence for goal, sentences in said.items() if goal.verb in grammar.verbs for sentence in sentences]
    return overlaps(grammar, ours)


def held_out_reasons(dataset: Dataset) -> list[str]:
    """What training shows of the compositions it holds out, and which of their parts it never shows."""
    try:
        held = Compositions.of(dataset.manifest["config"])
    except UserError as error:
        return [str(error)]
    return Coverage.count(held, [row.goal for row in dataset.rows]).reasons
