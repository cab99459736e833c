"""Reading lessons: the sentences of a batch, told apart by what they ask for, beside the imitation loss.

Which thing is meant decides a few steps of an episode and so a small part of the imitation loss; a text encoder that is
told nothing else takes long to learn its words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import Goal, UserError
from mmil.data.sentences import number
from mmil.encoders import Sentence
from mmil.heads.head import LEAST
from mmil.ranks import shared

WHOLE = ("verb", "manner", "relation")
THINGS = ("object", "target")
PARTS = ("shape", "colour")


class Aspect(NamedTuple):
    """What is told of a goal: a part of it, or of the thing that it holds."""

    readout: str
    part: str
    thing: str | None = None
    question: int | None = None  # whose tokens tell it; None: all

    def of(self, goal: Goal) -> str:
        return getattr(getattr(goal, self.thing) if self.thing else goal, self.part, None) or ""


class Reading(nn.Module):
    """Linear readouts of what a goal is made of, of which the data have more than one, from a sentence's tokens.

    questions: among which a fusion shares the tokens out. Where each thing of a goal has one, the same readouts of
    shape and colour read the object from the first and the target from the second, so that both come to be told alike
    and a thing that was only ever an object is understood as a target (“beside the bar”). symbols: of each kind, where
    the sentence is told in those: what is read are their shares, and no readout is needed.
    """

    def __init__(
        self, sentences: Mapping[Goal, Sequence[str]], *, size: int, questions: int = 1, symbols: int = 0
    ) -> None:
        super().__init__()
        self._goals = {sentence: goal for goal in sorted(sentences, key=str) for sentence in sentences[goal]}
        self._questions = questions
        names: dict[str, set[str]] = {}
        aspects = _aspects(questions)
        for aspect in aspects:
            names.setdefault(aspect.readout, set()).update(aspect.of(goal) for goal in sentences)
        self._names = {name: sorted(values) for name, values in names.items() if len(values) > 1}  # one teaches nothing
        self._aspects = [aspect for aspect in aspects if aspect.readout in self._names]
        self._places = {
            name: _spread(had, symbols) if symbols else list(range(len(had))) for name, had in self._names.items()
        }
        sizes = {aspect.readout: size if aspect.question is None else size // questions for aspect in self._aspects}
        self.readouts = nn.ModuleDict(
            {} if symbols else {name: nn.Linear(sizes[name], len(had)) for name, had in self._names.items()}
        )

    def loss(self, said: Sentence, sentences: Sequence[str]) -> torch.Tensor:
        """Cross-entropy, summed over the aspects, of what was `said` in those sentences that mean one goal anywhere.

        What "the leftmost one" is, no sentence tells: it is learnt where things can be seen.
        """
        known = [at for at, sentence in enumerate(sentences) if sentence in self._goals]
        goals, flat = [self._goals[sentences[at]] for at in known], said.tokens.flatten(1)[known]
        asked = flat.chunk(self._questions, dim=1)
        loss, count = flat.new_zeros(()), shared(torch.tensor(len(known), device=flat.device)).clamp(min=LEAST)
        for aspect in self._aspects:
            places = dict(zip(self._names[aspect.readout], self._places[aspect.readout], strict=True))
            wanted = torch.tensor([places[aspect.of(goal)] for goal in goals], device=flat.device).long()
            if said.named is not None:
                told = said.named[aspect.part][known, aspect.question or 0]
            else:
                told = self.readouts[aspect.readout](flat if aspect.question is None else asked[aspect.question])
            loss = loss + F.cross_entropy(told, wanted, reduction="sum") / count
        return loss


def _spread(names: Sequence[str], count: int) -> list[int]:
    """Which of `count` symbols means each of these names: mostly the same whatever other names there are."""
    if len(names) > count:
        raise UserError(f"{count} symbols cannot tell {len(names)} names apart: {', '.join(names)}")
    taken: list[int] = []
    for name in names:
        wanted = number("symbol", name) % count
        taken.append(next(place % count for place in range(wanted, wanted + count) if place % count not in taken))
    return taken


def _aspects(questions: int) -> list[Aspect]:
    aspects = [Aspect(part, part) for part in WHOLE]
    for question, thing in enumerate(THINGS):
        for part in PARTS:
            if questions >= len(THINGS):
                aspects.append(Aspect(part, part, thing, question))
            else:
                aspects.append(Aspect(f"{thing}_{part}", part, thing))
    return aspects
