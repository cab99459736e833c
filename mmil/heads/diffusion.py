"""Chunks by undoing noise (diffusion policy, Chi 2023)."""

from __future__ import annotations

import math
from typing import Literal

import torch

from mmil.heads.denoising import Denoising

CLEANEST, NOISIEST = 0.008, 0.992  # of a quarter turn: at neither end do chunk or noise vanish wholly


class Diffusion(Denoising):
    """Denoising diffusion (Ho 2020) with a cosine schedule (Nichol 2021), sampled by DDIM (Song 2021) without noise.

    Time 0 is the chunk and 1 noise, and it is continuous: any number of steps does. predicts: the chunk ("sample"),
    which is sure in few steps, or the noise ("epsilon").
    """

    def __init__(
        self,
        context: int,
        chunk: tuple[int, int],
        *,
        width: int = 256,
        depth: int = 3,
        steps: int = 8,
        draws: int = 4,
        predicts: Literal["sample", "epsilon"] = "sample",
    ) -> None:
        super().__init__(context, chunk, width=width, depth=depth, steps=steps, draws=draws)
        self.predicts = predicts

    def times(self, like: torch.Tensor) -> torch.Tensor:
        """(B, 1, 1), even."""
        return torch.rand(len(like), 1, 1, device=like.device)

    def mixed(self, actions: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """(B, H, A), of the variance of noise where actions have it too."""
        signal, spread = schedule(times)
        return signal * actions + spread * noise

    def target(self, actions: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, H, A)."""
        return actions if self.predicts == "sample" else noise

    def denoised(self, noise: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A): at each time the chunk is guessed, and the guess made noisy again as at the next one."""
        noisy, guess = noise, noise
        for step in range(self.steps):
            times = torch.full_like(noisy[:, :1, :1], 1 - step / self.steps)
            signal, spread = schedule(times)
            said = self.denoiser(noisy, times, context)
            guess = (said if self.predicts == "sample" else (noisy - spread * said) / signal).clamp(-1, 1)
            left = (noisy - signal * guess) / spread  # the noise, if the guess is right
            noisy = self.mixed(guess, left, times - 1 / self.steps)
        return guess


def schedule(times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How much of the chunk and how much noise there is at these times; their squares sum to 1."""
    angles = math.pi / 2 * (CLEANEST + (NOISIEST - CLEANEST) * times)
    return angles.cos(), angles.sin()
