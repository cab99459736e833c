"""Generative adversarial imitation (Ho 2016), from where decisions lead, whatever was done for it."""

from __future__ import annotations

import torch

from mmil.rewards.discriminator import Discriminator, layers


class GAIL(Discriminator):
    """The reward is the log odds themselves: they are of either sign, so that neither a long nor a short episode is
    worth anything by itself (Kostrikov 2019), and 0 where nobody can tell.
    """

    def __init__(self, context: int, *, width: int = 256) -> None:
        super().__init__(context)
        self.net = layers(context, width)

    def gain(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        return self.net(after)
