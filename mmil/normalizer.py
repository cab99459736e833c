"""Statistics as buffers: physical units on one side, network units on the other, saved with the weights."""

from __future__ import annotations

import torch
from torch import nn

from mmil.data.stats import Moments, Stats

SMALLEST = 1e-3  # a value that hardly ever changes is not blown up


class Affine(nn.Module):
    """x ↦ (x − mean) / std over the last axis, clipped to ±`limit` so that a spike of a sensor stays a spike."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, moments: Moments, *, limit: float = 6.0) -> None:
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.as_tensor(moments.mean, dtype=torch.float32))
        self.register_buffer("std", torch.as_tensor(moments.std, dtype=torch.float32).clamp(min=SMALLEST))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return ((values - self.mean) / self.std).clamp(-self.limit, self.limit)


class Normalizer(nn.Module):
    """One Affine a signal. Actions need none: they are in [−1, 1] by contract."""

    def __init__(self, stats: Stats) -> None:
        super().__init__()
        self.signals = nn.ModuleDict({name: Affine(moments) for name, moments in stats.signals.items()})

    def forward(self, signals: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Every signal the statistics know, in network units, shapes unchanged."""
        return {name: affine(signals[name]) for name, affine in self.signals.items()}
