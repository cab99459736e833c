"""The chunk itself, by regression (action chunking, Zhao 2023)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from mmil.contracts import require_number
from mmil.heads.head import Head, counted, mean_of_valid


class Regression(Head):
    """An MLP to a chunk (H, A) with an L1 or L2 loss over the actions that are valid."""

    def __init__(
        self, context: int, chunk: tuple[int, int], *, width: int = 256, norm: Literal["l1", "l2"] = "l1"
    ) -> None:
        super().__init__()
        require_number(least=1, width=width)
        self.chunk, self.norm = chunk, norm
        self.net = nn.Sequential(nn.Linear(context, width), nn.GELU(), nn.Linear(width, chunk[0] * chunk[1]))

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A)."""
        return self.net(context).unflatten(1, self.chunk)

    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Mean over actions (B, H, A) weighted by valid (B, H)."""
        error = self(context) - counted(actions, valid)
        cost = error.abs() if self.norm == "l1" else error.square()
        return mean_of_valid(cost.mean(dim=2), valid)

    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]."""
        return self(context).clamp(-1, 1)
