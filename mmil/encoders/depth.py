"""Depth to one token an observation: how far what each camera sees is, where that could be measured."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import Spec, UserError, require_number, stream_of

GRID = 16  # cells a side; a cache holds depth so, and nothing finer is looked at
NEAREST = 0.01  # [m]


class DepthTokens(nn.Module):
    """A small convolution a camera over the logarithm of depth and where it is known, then a layer over all of them."""

    def __init__(self, spec: Spec, *, width: int = 64) -> None:
        super().__init__()
        require_number(least=1, width=width)
        self.names = tuple(name for name in spec.maps if stream_of(name) == "depth")
        if not self.names:
            raise UserError(f"no depth among the maps of the data; there are {', '.join(spec.maps) or 'none'}")
        self.width = width
        self.look = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(2, width // 4, kernel_size=3, stride=2, padding=1),
                nn.GELU(),
                nn.Conv2d(width // 4, width // 2, kernel_size=3, stride=2, padding=1),
                nn.GELU(),
                nn.Flatten(),
            )
            for _ in self.names
        )
        self.join = nn.Linear(len(self.names) * (width // 2) * (GRID // 4) ** 2, width)

    def forward(self, maps: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """(B, K, width) of {<camera>.depth: (B, K, 1, h, w) [m]}, 0 where nothing was measured."""
        if missing := [name for name in self.names if name not in maps]:
            raise UserError(f"no depth {', '.join(missing)} in the batch; train with maps: [depth]")
        batch, past = maps[self.names[0]].shape[:2]
        seen = [
            look(_channels(on_grid(maps[name].flatten(0, 1)))) for name, look in zip(self.names, self.look, strict=True)
        ]
        return self.join(torch.cat(seen, dim=1)).unflatten(0, (batch, past))


def on_grid(depth: torch.Tensor) -> torch.Tensor:
    """(N, 1, GRID, GRID) [m] of depth (N, 1, h, w): the mean of what is known in a cell, 0 where nothing is.

    Of a depth on that grid already, the same again.
    """
    if depth.shape[-2:] == (GRID, GRID):
        return depth
    known = F.adaptive_avg_pool2d((depth > 0).float(), GRID)
    return torch.where(known > 0, F.adaptive_avg_pool2d(depth, GRID) / known.clamp(min=1e-6), 0.0)


def _channels(depth: torch.Tensor) -> torch.Tensor:
    """(N, 2, GRID, GRID): the logarithm of depth, and whether it is known."""
    known = depth > 0
    near = torch.where(known, depth.clamp(min=NEAREST).log(), 0.0)
    return torch.cat([near, known.to(near.dtype)], dim=1)
