"""Reading lessons: the sentences of a batch, told apart by what they ask for, beside the imitation loss.

Which thing is meant decides a few steps of an episode and so a small part of the imitation loss; a text encoder that is
told nothing else takes long to learn its words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import Goal
from mmil.heads.head import LEAST
from mmil.ranks import shared

ASPECTS = ("verb", "manner", "relation", "shape", "colour", "target_shape", "target_colour")


class Reading(nn.Module):
    """Linear readouts of what a goal is made of, of which the data have more than one, from a sentence's tokens."""

    def __init__(self, sentences: Mapping[Goal, Sequence[str]], *, size: int) -> None:
        super().__init__()
        self._goals = {sentence: goal for goal in sorted(sentences, key=str) for sentence in sentences[goal]}
        names = {aspect: sorted({_of(goal, aspect) for goal in sentences}) for aspect in ASPECTS}
        self._names = {aspect: values for aspect, values in names.items() if len(values) > 1}  # one teaches nothing
        self.readouts = nn.ModuleDict({aspect: nn.Linear(size, len(names)) for aspect, names in self._names.items()})

    def loss(self, tokens: torch.Tensor, sentences: Sequence[str]) -> torch.Tensor:
        """Cross-entropy, summed over the aspects, of tokens (B, Q, D) of those sentences that mean one goal anywhere.

        What "the leftmost one" is, no sentence tells: it is learnt where things can be seen.
        """
        known = [at for at, sentence in enumerate(sentences) if sentence in self._goals]
        goals, flat = [self._goals[sentences[at]] for at in known], tokens.flatten(1)[known]
        loss, count = flat.new_zeros(()), shared(torch.tensor(len(known), device=flat.device)).clamp(min=LEAST)
        for aspect, names in self._names.items():
            wanted = torch.tensor([names.index(_of(goal, aspect)) for goal in goals], device=flat.device).long()
            loss = loss + F.cross_entropy(self.readouts[aspect](flat), wanted, reduction="sum") / count
        return loss


def _of(goal: Goal, aspect: str) -> str:
    whose, _, part = aspect.rpartition("_")
    holder = goal.target if whose else goal.object if part in ("shape", "colour") else goal
    return getattr(holder, part, None) or ""
