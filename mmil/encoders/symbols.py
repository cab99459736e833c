"""A sentence in symbols: what it names, as shares of learnt vectors, and nothing of how that was said.

A policy that hears tokens hears in them the whole sentence, and comes to know a target by the verb and the relation it
was told with: a pair of words that it was never shown together is then another word. Behind symbols a bar is a bar, of
whatever is asked beside it and in whatever words (concept bottlenecks, Koh 2020).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmil.contracts import UserError, require_number

QUESTIONS = 2  # one for each thing of a goal, its object and its target
THING = ("shape", "colour", "which")  # of each thing; which: what else tells it apart, as a side or a neighbour
WHOLE = ("verb", "manner", "relation")


class Symbols(nn.Module):
    """Tokens of a sentence to tokens that are each a mix of `count` learnt symbols, weighed by what was understood.

    First those of THING for the object, then for the target, from the half of the tokens that is its question and by
    the same layers; then those of WHOLE, from all. What symbols mean is for a lesson to say (Reading); but `which` and
    those that no lesson names take what meaning serves.
    """

    def __init__(self, tokens: int, width: int, *, count: int) -> None:
        super().__init__()
        require_number(least=2, symbols=count)
        if tokens % QUESTIONS:
            raise UserError(f"{tokens} queries cannot be shared by the {QUESTIONS} things of a goal alike")
        sizes = dict.fromkeys(THING, tokens // QUESTIONS * width) | dict.fromkeys(WHOLE, tokens * width)
        self.scores = nn.ModuleDict({name: nn.Linear(size, count) for name, size in sizes.items()})
        self.symbols = nn.ParameterDict({name: nn.Parameter(torch.randn(count, width)) for name in sizes})
        self.tokens, self.count = QUESTIONS * len(THING) + len(WHOLE), count

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        """(B, self.tokens, width) of tokens (B, Q, width); and of each name logarithms of shares (B, 2 or 1, count)."""
        told = tokens.flatten(1)[:, None]  # (B, 1, …)
        asked = torch.cat(told.chunk(QUESTIONS, dim=2), dim=1)  # (B, 2, …)
        named = {
            name: score(told if name in WHOLE else asked).float().log_softmax(dim=2)
            for name, score in self.scores.items()
        }
        mixed = {
            name: shares.exp().to(tokens.dtype) @ self.symbols[name].to(tokens.dtype) for name, shares in named.items()
        }
        things = torch.stack([mixed[name] for name in THING], dim=2).flatten(1, 2)  # of the object, then of the target
        return torch.cat([things, *(mixed[name] for name in WHOLE)], dim=1), named
