"""The one contract of heads."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

from mmil.ranks import shared

LEAST = 1e-6  # a weight to divide by where nothing weighs anything


class Head(nn.Module, ABC):
    """Context (B, C) → a chunk of actions (B, H, A); made of the context's size and (H, A)."""

    @abstractmethod
    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """A number: the mean over actions (B, H, A) weighted by valid (B, H), bool or float, 0 where all of it is 0.

        What an action is that does not count, be it NaN, changes nothing.
        """

    @abstractmethod
    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]; whatever is random in it comes from torch's default generator."""


def mean_of_valid(costs: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Mean of costs (B, H) weighted by valid (B, H), in training over all processes; 0 where all of it is 0."""
    return (costs * valid).sum() / shared(valid.sum()).clamp(min=LEAST)


def counted(actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Actions (B, H, A), and 0 in place of those that do not count."""
    return torch.where(valid[..., None] > 0, actions, 0.0)
