"""Joint positions, the hand's pose and other numbers of an instant to one token an observation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import nn

from mmil.contracts import Spec, require_known, require_number
from mmil.ranks import of_mine


class SignalTokens(nn.Module):
    """An MLP over the named signals, side by side; `dropout` hides all of them from a sample now and then.

    names: None for every signal of the data.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        names: Sequence[str] | None = ("joint_pos", "eef_pos_world", "eef_quat_xyzw", "gripper_pos"),
        width: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require_number(least=1, width=width)
        require_number(least=0, below=1, dropout=dropout)
        names = tuple(spec.signals) if names is None else names
        require_known("signal", names, spec.signals, where="in the data")
        self.names, self.dropout, self.width = tuple(names), dropout, width
        size = sum(prod(spec.signals[name]) for name in names)
        self.net = nn.Sequential(nn.Linear(size, width), nn.GELU(), nn.Linear(width, width))
        # what each column reads, for whoever begins with these weights
        self.columns = {"net.0.weight": [(f"signal.{name}", prod(spec.signals[name])) for name in names]}

    def forward(self, signals: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """(B, K, width) of normalised {name: (B, K, …)}."""
        values = torch.cat([signals[name].flatten(2) for name in self.names], dim=-1)
        return self.net(hide(values, self.dropout if self.training else 0.0))


def hide(values: torch.Tensor, share: float) -> torch.Tensor:
    """Zero (the mean, in network units) for that share of the samples (B, …)."""
    if not share:
        return values
    shown = of_mine(lambda count: torch.rand(count, device=values.device), len(values)) >= share
    return values * shown.view(-1, *[1] * (values.dim() - 1))
