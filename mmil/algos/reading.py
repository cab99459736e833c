"""Reading lessons: the sentences of a data set, told apart by what they ask for, beside the imitation loss.

Which thing is meant decides a few steps of an episode and so a small part of the imitation loss; a text encoder that is
told nothing else takes long to learn its words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import Goal

ASPECTS = ("verb", "shape", "colour")


class Reading(nn.Module):
    """Linear readouts of a goal's verb, shape and colour from a sentence's tokens."""

    def __init__(self, sentences: Mapping[Goal, Sequence[str]], *, size: int, batch: int = 64) -> None:
        super().__init__()
        self.batch = batch
        self._sentences = [(sentence, goal) for goal in sorted(sentences) for sentence in sentences[goal]]
        self._names = {aspect: sorted({_of(goal, aspect) for goal in sentences}) for aspect in ASPECTS}
        self.readouts = nn.ModuleDict({aspect: nn.Linear(size, len(names)) for aspect, names in self._names.items()})

    def loss(self, language: nn.Module) -> torch.Tensor:
        """Cross-entropy, summed over the aspects, of a random batch of sentences."""
        chosen = [self._sentences[i] for i in torch.randint(len(self._sentences), (self.batch,)).tolist()]
        tokens = language([sentence for sentence, _ in chosen]).flatten(1)
        loss = tokens.new_zeros(())
        for aspect, names in self._names.items():
            wanted = torch.tensor([names.index(_of(goal, aspect)) for _, goal in chosen], device=tokens.device)
            loss = loss + F.cross_entropy(self.readouts[aspect](tokens), wanted)
        return loss


def _of(goal: Goal, aspect: str) -> str:
    return goal.verb if aspect == "verb" else getattr(goal.object, aspect)
