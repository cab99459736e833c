"""Adversarial inverse reinforcement (Fu 2018): what it is worth to be somewhere, and a potential beside it."""

from __future__ import annotations

import torch

from mmil.contracts import require_number
from mmil.rewards.discriminator import LIKELIHOOD, Discriminator, layers


class AIRL(Discriminator):
    """gain = worth(after) + discount · potential(after) − potential(before), told apart against the likelihood of what
    was done.

    What is worth something is so whoever acts; the potential takes up what is the expert's habit, and changes nothing
    of what is best (Ng 1999). The likelihood is none of the reward: to stay undecided is the learner's own business.
    """

    def __init__(self, context: int, *, width: int = 256, discount: float = 0.97) -> None:
        super().__init__(context)
        require_number(above=0, below=1, discount=discount)
        self.worth, self.potential, self.discount = layers(context, width), layers(context, width), discount

    def forward(self, before: torch.Tensor, after: torch.Tensor, likelihood: torch.Tensor) -> torch.Tensor:
        return self.gain(before, after) - likelihood.clamp(-LIKELIHOOD, LIKELIHOOD)

    def gain(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        return self.worth(after) + self.discount * self.potential(after) - self.potential(before)
