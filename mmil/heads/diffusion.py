"""Chunks by undoing noise (diffusion policy, Chi 2023)."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch

from mmil.heads.denoising import Denoising

NOISIEST = 0.992  # of a quarter turn: something is left of the chunk, else the noise would not say what it is


class Diffusion(Denoising):
    """Denoising diffusion (Ho 2020) with a cosine schedule (Nichol 2021), sampled by DDIM (Song 2021) without noise.

    Time 0 is the chunk and 1 noise, and it is continuous: any number of steps does. predicts: the chunk ("sample"),
    which is sure in few steps, or the noise ("epsilon").
    """

    noisy, clean = 1.0, 0.0

    def __init__(
        self, context: int, chunk: tuple[int, int], *, predicts: Literal["sample", "epsilon"] = "sample", **options: Any
    ) -> None:
        super().__init__(context, chunk, predicts=predicts, **options)

    def drawn(self, uniform: torch.Tensor) -> torch.Tensor:
        """All alike."""
        return uniform

    def mixed(self, actions: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """(B, H, A), of the variance of noise where actions have it too."""
        signal, spread = schedule(times)
        return signal * actions + spread * noise

    def target(self, actions: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, H, A)."""
        return actions if self.predicts == "sample" else noise

    def onward(self, mixed: torch.Tensor, said: torch.Tensor, *, now: torch.Tensor, then: torch.Tensor) -> torch.Tensor:
        """(B, H, A): the chunk is guessed, and the guess made as noisy as it shall be next."""
        signal, spread = schedule(now)
        guess = (said if self.predicts == "sample" else (mixed - spread * said) / signal).clamp(-1, 1)
        return self.mixed(guess, (mixed - signal * guess) / spread, then)


def schedule(times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How much of the chunk and how much noise there is at these times; their squares sum to 1."""
    angles = math.pi / 2 * NOISIEST * times
    return angles.cos(), angles.sin()
