"""The wrench to one token an observation: a short series, several readings in a control step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmil.contracts import Spec, UserError, require_number
from mmil.encoders.signals import hide


class WrenchTokens(nn.Module):
    """A convolution over the readings (R, 6) of a step, then an MLP; touch is a change, not a level."""

    def __init__(self, spec: Spec, *, name: str = "wrench", width: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        require_number(least=1, width=width)
        require_number(least=0, below=1, dropout=dropout)
        if name not in spec.signals or len(spec.signals[name]) != 2:
            raise UserError(f"no series {name} (R, 6) among the signals; there are {dict(spec.signals)}")
        readings, axes = spec.signals[name]
        self.name, self.dropout, self.width = name, dropout, width
        self.series = nn.Conv1d(axes, width // 2, kernel_size=3, padding=1)
        self.net = nn.Sequential(nn.GELU(), nn.Flatten(), nn.Linear(width // 2 * readings, width))

    def forward(self, signals: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """(B, K, width) of normalised wrenches (B, K, R, 6)."""
        values = hide(signals[self.name], self.dropout if self.training else 0.0)
        batch, past = values.shape[:2]
        return self.net(self.series(values.flatten(0, 1).transpose(1, 2))).unflatten(0, (batch, past))
