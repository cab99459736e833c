"""The one contract of heads."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn


class Head(nn.Module, ABC):
    """Context (B, C) → a chunk of actions (B, H, A); made of the context's size and (H, A)."""

    @abstractmethod
    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """A number, of actions (B, H, A) where valid (B, H)."""

    @abstractmethod
    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]."""
