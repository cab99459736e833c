"""The small network that Diffusion and Flow share: what a noisy chunk was made of."""

from __future__ import annotations

import math

import torch
from torch import nn


class Denoiser(nn.Module):
    """A residual MLP over a whole chunk, each block scaled and shifted by context and time (FiLM, Perez 2018)."""

    def __init__(self, context: int, chunk: tuple[int, int], *, width: int, depth: int) -> None:
        super().__init__()
        self.chunk = chunk
        self.first, self.last = nn.Linear(math.prod(chunk), width), nn.Linear(width, math.prod(chunk))
        self.told, self.time = nn.Linear(context, width), nn.Sequential(Waves(), nn.Linear(2 * WAVES, width))
        self.film = nn.Sequential(nn.GELU(), nn.Linear(width, depth * 2 * width), nn.Unflatten(-1, (depth, 2, width)))
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))

    def conditions(self, times: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Scales and shifts (…, B, depth, 2, width) of times (…, B or 1, 1) in [0, 1] and context (B, C).

        Apart from forward(), so that those of all steps of a sample are computed at once.
        """
        return self.film(self.told(context) + self.time(times))

    def forward(self, noisy: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        """(B, H, A) of a noisy chunk (B, H, A) and conditions (B, depth, 2, width)."""
        hidden = self.first(noisy.flatten(1))
        for block, condition in zip(self.blocks, conditions.unbind(1), strict=True):
            hidden = block(hidden, condition)
        return self.last(hidden).float().unflatten(1, self.chunk)


class Block(nn.Module):
    """x + MLP(x), told how to scale and shift what it reads."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.net = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, hidden: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """(B, width) of (B, width) and a scale and a shift (B, 2, width)."""
        scale, shift = condition.unbind(1)
        return hidden + self.net(self.norm(hidden) * (1 + scale) + shift)


WAVES = 16  # of each of sine and cosine, from half a turn over all of the time to a hundred times that


class Waves(nn.Module):
    """A time in [0, 1] as sines and cosines (Vaswani 2017), so that a linear layer tells near ones apart."""

    rates: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rates", math.pi * torch.logspace(0, 2, WAVES), persistent=False)

    def forward(self, times: torch.Tensor) -> torch.Tensor:
        """(…, 2 · WAVES) of (…, 1)."""
        angles = times * self.rates
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


def draw_noise(count: int, chunk: tuple[int, int], *, device: torch.device) -> torch.Tensor:
    """(B, H, A) from the default generator of the processor: the same on any device.

    A row a draw, so that the first rows are the same however many follow.
    """
    return torch.stack([torch.randn(chunk) for _ in range(count)]).to(device)
