"""The one contract of heads."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn

LEAST = 1e-6  # a weight to divide by where nothing weighs anything


class Head(nn.Module, ABC):
    """Context (B, C) → a chunk of actions (B, H, A); made of the context's size and (H, A)."""

    @abstractmethod
    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """A number: the mean over actions (B, H, A) weighted by valid (B, H), bool or float, 0 where all of it is 0."""

    @abstractmethod
    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]."""
