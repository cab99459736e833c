"""A few chunks and how likely each is: where an expert turns left or right, the middle of both is no answer."""

from __future__ import annotations

import torch
from torch import nn

from mmil.contracts import require_number
from mmil.heads.head import LEAST, Head, counted
from mmil.ranks import shared


class Mixture(Head):
    """A mixture of Laplace densities over whole chunks (mixture density network, Bishop 1994), of one fixed scale.

    modes: how many chunks. scale: mean absolute error of a chunk by which a mode becomes e times less likely; the loss
    is in that unit too, so that with one mode it is the L1 of Regression.
    """

    def __init__(
        self, context: int, chunk: tuple[int, int], *, width: int = 256, modes: int = 5, scale: float = 0.01
    ) -> None:
        super().__init__()
        require_number(least=1, width=width, modes=modes)
        require_number(above=0, scale=scale)
        self.chunk, self.modes, self.scale = chunk, modes, scale
        self.hidden = nn.Sequential(nn.Linear(context, width), nn.GELU())
        self.chunks, self.likely = nn.Linear(width, modes * chunk[0] * chunk[1]), nn.Linear(width, modes)

    def forward(self, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Chunks (B, M, H, A) and the logarithms of their weights (B, M)."""
        hidden = self.hidden(context)
        chunks = self.chunks(hidden).unflatten(1, (self.modes, *self.chunk))
        return chunks.float(), self.likely(hidden).float().log_softmax(dim=1)

    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """−scale · log-likelihood of actions (B, H, A), a mean weighted by valid (B, H)."""
        chunks, likely = self(context)
        counts = valid.sum(dim=1)  # (B,)
        errors = (chunks - counted(actions, valid)[:, None]).abs().mean(dim=3)  # (B, M, H)
        costs = (errors * valid[:, None]).sum(dim=2) / counts[:, None].clamp(min=LEAST)
        lost = -self.scale * torch.logsumexp(likely - costs / self.scale, dim=1)
        return (lost * counts).sum() / shared(counts.sum()).clamp(min=LEAST)

    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]: the likeliest chunk."""
        chunks, likely = self(context)
        return chunks[torch.arange(len(chunks), device=chunks.device), likely.argmax(dim=1)].clamp(-1, 1)
