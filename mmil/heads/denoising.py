"""What Diffusion and Flow have in common: a chunk is made out of noise in a few steps, and learnt in any of them."""

from __future__ import annotations

from abc import abstractmethod

import torch

from mmil.contracts import UserError
from mmil.heads.denoiser import Denoiser, draw_noise
from mmil.heads.head import Head, counted, mean_of_valid


class Denoising(Head):
    """A head whose sample is one draw of a distribution over whole chunks: of two ways to act it takes one.

    steps: of making a chunk. draws: noisy chunks that each chunk is learnt from at once; they cost little beside the
    encoders. width, depth: of the denoiser.
    """

    def __init__(
        self, context: int, chunk: tuple[int, int], *, width: int = 256, depth: int = 3, steps: int = 8, draws: int = 4
    ) -> None:
        super().__init__()
        for name, value in (("steps", steps), ("draws", draws)):
            if value < 1:
                raise UserError(f"{name} is {value}; {type(self).__name__} needs at least 1")
        self.chunk, self.steps, self.draws = chunk, steps, draws
        self.denoiser = Denoiser(context, chunk, width=width, depth=depth)

    @abstractmethod
    def times(self, like: torch.Tensor) -> torch.Tensor:
        """(B, 1, 1) in [0, 1], drawn for chunks (B, H, A)."""

    @abstractmethod
    def mixed(self, actions: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """(B, H, A), what lies between actions and noise at these times (B, 1, 1)."""

    @abstractmethod
    def target(self, actions: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, H, A), what the denoiser shall say of such a mixture."""

    @abstractmethod
    def denoised(self, noise: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A), the chunks that noise (B, H, A) becomes."""

    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Mean square of the denoiser's error over actions (B, H, A), weighted by valid (B, H)."""
        context, actions, valid = (part.repeat_interleave(self.draws, dim=0) for part in (context, actions, valid))
        actions = counted(actions, valid)
        noise, times = torch.randn_like(actions), self.times(actions)
        # the denoiser sees whole chunks: what does not count is noise to it at any time
        noisy = torch.where(valid[..., None] > 0, self.mixed(actions, noise, times), noise)
        errors = self.denoiser(noisy, times, context) - self.target(actions, noise)
        return mean_of_valid(errors.square().mean(dim=2), valid)

    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]: one draw, by torch's default generator."""
        noise = draw_noise(len(context), self.chunk, device=context.device)
        return self.denoised(noise, context).clamp(-1, 1)
