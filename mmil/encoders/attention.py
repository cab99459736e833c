"""Attention among tokens and to others, without a sum of two precisions: on a processor it takes ten times as long."""

from __future__ import annotations

import torch
from torch import nn

from mmil.contracts import UserError
from mmil.encoders.hearing import heard
from mmil.ranks import Dropout


class Attention(nn.Module):
    """Tokens ask others, in `heads` ways; keys and values may come from different ones."""

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise UserError(f"{heads} heads of attention do not divide tokens of {width} numbers")
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(
        self,
        asking: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        *,
        real: torch.Tensor | None = None,
        loud: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, L, width) of asking (B, L, width), keys and values (B, M, width).

        real: bool (B, M), who can be asked. loud: (M,), by how much each is heard, see Hearing; None for all alike.
        """
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(asking), self.key(keys), self.value(values))
        )
        # written out: on a processor the library's own takes more than twice as long to learn through
        scores = query / query.shape[3] ** 0.5 @ key.transpose(2, 3)
        if real is not None:
            scores = scores.masked_fill(~real[:, None, None], float("-inf"))
        weights = scores.softmax(dim=3)
        if loud is not None:
            weights = heard(weights, loud)
        found = weights.to(value.dtype) @ value
        return self.out(found.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Tokens ask one another, then each thinks for itself (pre-norm: Xiong 2020)."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.among = Attention(width, heads=heads)
        self.alone = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = Dropout(dropout)

    def forward(
        self, x: torch.Tensor, *, real: torch.Tensor | None = None, loud: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(B, L, width) of the same. real: bool (B, L), false for padding. loud: (L,), see Hearing."""
        y = self.first(x)
        x = x + self.dropout(self.among(y, y, y, real=real, loud=loud)).to(x.dtype)
        return x + self.dropout(self.alone(self.second(x))).to(x.dtype)
