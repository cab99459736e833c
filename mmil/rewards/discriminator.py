"""Who did it, the expert or somebody else? A reward is what makes the answer hard to give.

It reads contexts: what a policy whose weights stay makes of pictures, signals and sentence. So one reward serves many
instructions. C numbers of a context.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from mmil.contracts import UserError, require_number

MOST = 10.0  # what a decision is worth, at most
LIKELIHOOD = 20.0  # ± its logarithm, at most: of what a policy would never do nothing is left to tell apart
SMALLEST = 1e-6  # spread of contexts


class Discriminator(nn.Module, ABC):
    """Made of the numbers of a context; contexts are measured by where the expert's lie, and how widely."""

    mean: torch.Tensor  # (C,)
    scale: torch.Tensor  # (1,)

    def __init__(self, context: int) -> None:
        super().__init__()
        require_number(least=1, context=context)
        self.register_buffer("mean", torch.zeros(context))
        self.register_buffer("scale", torch.ones(1))

    def measure(self, contexts: torch.Tensor) -> None:
        """Take the expert's contexts (M, C) for what others are measured by.

        One spread for all: what never varies in demonstrations would else outweigh all that does.
        """
        self.mean.copy_(contexts.mean(dim=0))
        self.scale.fill_(contexts.var(dim=0, unbiased=False).mean().sqrt().clamp(min=SMALLEST))

    def measured(self, contexts: torch.Tensor) -> torch.Tensor:
        return (contexts - self.mean) / self.scale

    def forward(self, before: torch.Tensor, after: torch.Tensor, likelihood: torch.Tensor) -> torch.Tensor:
        """(B, 1): log odds that the expert went from contexts `before` to `after`, (B, C) and measured.

        likelihood: (B, 1), the logarithm of the policy's own density of what was done, for each of its numbers.
        """
        return self.gain(before, after)

    def reward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """(B, 1), within ±MOST, of going from contexts `before` to `after` (B, C) as they are."""
        gain = self.gain(self.measured(before), self.measured(after))
        if not torch.isfinite(gain).all():
            raise UserError("the reward is a NaN or an infinity: of contexts that are, or of weights that became so")
        return gain.clamp(-MOST, MOST)

    @abstractmethod
    def gain(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """(B, 1): what it is worth to go from contexts `before` to `after`, (B, C) and measured."""


def layers(context: int, width: int) -> nn.Sequential:
    """A small network without hinges, (B, C) → (B, 1): that it is not steep anywhere is asked of it."""
    require_number(least=1, width=width)
    return nn.Sequential(nn.Linear(context, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
