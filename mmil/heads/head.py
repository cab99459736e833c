"""The one contract of heads."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn


class Head(nn.Module, ABC):
    """Context (B, C) → a chunk of actions (B, H, A); made of the context's size and (H, A)."""

    @abstractmethod
    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """A number, of actions (B, H, A) where valid (B, H); what the others are, be it NaN, changes nothing."""

    @abstractmethod
    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]; whatever is random in it comes from torch's default generator."""


def mean_of_valid(costs: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Mean of costs (B, H) over valid (B, H); 0 where nothing is."""
    return (costs * valid).sum() / valid.sum().clamp(min=1)
