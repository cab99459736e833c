"""Several processes that train one policy: a mean is over what all of them have read, and chance belongs to windows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import distributed, nn


def shared(count: torch.Tensor) -> torch.Tensor:
    """What to divide this process's sum by while training: as all processes average their gradients, they then learn
    from the mean over all of their windows, however unequal their shares of it are. It may be less than 1.
    """
    if not _many():
        return count
    total = count.detach().to(torch.float32, copy=True)
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def of_mine(draw: Callable[[int], torch.Tensor], count: int) -> torch.Tensor:
    """What chance has for `count` windows of this process, drawn for those of all: so it does not matter who has which.

    draw(n) gives a row a window; every process draws from a generator in the same state.
    """
    if not _many():
        return draw(count)
    return draw(count * distributed.get_world_size())[distributed.get_rank() :: distributed.get_world_size()]


class Dropout(nn.Dropout):
    """torch's, for tensors that have a row a window."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not (self.training and _many()):
            return super().forward(input)
        rows = of_mine(lambda count: super(Dropout, self).forward(input.new_ones(count, *input.shape[1:])), len(input))
        return input * rows


def _many() -> bool:
    """Whether this is a step of a training that other processes take part in."""
    return torch.is_grad_enabled() and distributed.is_available() and distributed.is_initialized()
