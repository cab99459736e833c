"""Several heads that begin differently: where they part, the data have not said what to do."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from mmil.contracts import require_number
from mmil.heads.head import Head
from mmil.heads.mixture import Mixture


class Ensemble(Head):
    """`members` heads over one context, each with weights of its own (deep ensembles, Lakshminarayanan 2017).

    What is done is the chunk that the others come nearest to: their mean may be what none of them would do.
    """

    def __init__(
        self,
        context: int,
        chunk: tuple[int, int],
        *,
        head: Callable[[int, tuple[int, int]], Head] = Mixture,
        members: int = 5,
    ) -> None:
        super().__init__()
        require_number(least=2, members=members)
        self.members = nn.ModuleList(head(context, chunk) for _ in range(members))

    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """The mean of theirs."""
        return torch.stack([member.loss(context, actions, valid) for member in self.members]).mean()

    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]."""
        chunks = self._chunks(context)
        nearest = _apart(chunks).sum(dim=2).argmin(dim=1)
        return chunks[torch.arange(len(chunks), device=chunks.device), nearest]

    def spread(self, context: torch.Tensor) -> torch.Tensor:
        """(B,): how far two members' chunks are apart, on average, as a mean over their actions."""
        apart, count = _apart(self._chunks(context)), len(self.members)
        return apart.sum(dim=(1, 2)) / (count * (count - 1))

    def _chunks(self, context: torch.Tensor) -> torch.Tensor:
        """(B, members, H, A)."""
        return torch.stack([member.sample(context) for member in self.members], dim=1)


def _apart(chunks: torch.Tensor) -> torch.Tensor:
    """(B, M, M): the mean absolute difference of every two of chunks (B, M, H, A)."""
    return (chunks[:, :, None] - chunks[:, None]).abs().mean(dim=(3, 4))
