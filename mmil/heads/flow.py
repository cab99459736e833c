"""Chunks as the end of straight lines out of noise."""

from __future__ import annotations

from typing import Any, Literal

import torch

from mmil.heads.denoising import Denoising

LATEST = 0.999  # time that is learnt from


class Flow(Denoising):
    """Conditional flow matching (Lipman 2023) along straight lines (rectified, Liu 2023), followed in Euler steps.

    Time 0 is noise and 1 the chunk; the noisier times are learnt from more often, as for π0 (Black 2024, arXiv
    2410.24164, appendix B), for there it is decided what is done. predicts: where the line ends ("sample"), which is
    the finer of the two in few steps, or the "velocity" on it.
    """

    noisy, clean = 0.0, 1.0

    def __init__(
        self,
        context: int,
        chunk: tuple[int, int],
        *,
        predicts: Literal["sample", "velocity"] = "sample",
        **options: Any,
    ) -> None:
        super().__init__(context, chunk, predicts=predicts, **options)

    def drawn(self, uniform: torch.Tensor) -> torch.Tensor:
        """LATEST · (1 − x) of x from Beta(1.5, 1), whose distribution function is x^1.5."""
        return LATEST * (1 - uniform.pow(2 / 3))

    def mixed(self, actions: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """(B, H, A)."""
        return times * actions + (1 - times) * noise

    def target(self, actions: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, H, A)."""
        return actions if self.predicts == "sample" else actions - noise

    def onward(self, mixed: torch.Tensor, said: torch.Tensor, *, now: torch.Tensor, then: torch.Tensor) -> torch.Tensor:
        """(B, H, A), a step of Euler's."""
        velocity = said if self.predicts == "velocity" else (said - mixed) / (1 - now)
        return mixed + (then - now) * velocity
