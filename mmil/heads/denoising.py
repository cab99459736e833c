"""What Diffusion and Flow have in common: a chunk is made out of noise in a few steps, and learnt in any of them."""

from __future__ import annotations

from abc import abstractmethod

import torch

from mmil.contracts import require_number
from mmil.heads.denoiser import Denoiser, draw_noise
from mmil.heads.head import Head, counted, mean_of_valid
from mmil.ranks import of_mine


class Denoising(Head):
    """A head whose sample is one draw of a distribution over whole chunks: of two ways to act it takes one.

    noisy, clean: times at which a chunk is nothing but noise, and at which it is done. steps: from one to the other.
    draws: noisy chunks that each chunk is learnt from at once; they cost little beside the encoders. width, depth: of
    the denoiser. predicts: what the denoiser says of a noisy chunk.
    """

    noisy: float
    clean: float

    def __init__(
        self,
        context: int,
        chunk: tuple[int, int],
        *,
        width: int = 256,
        depth: int = 3,
        steps: int = 8,
        draws: int = 4,
        predicts: str = "sample",
    ) -> None:
        super().__init__()
        require_number(least=1, width=width, depth=depth, steps=steps, draws=draws)
        self.chunk, self.steps, self.draws, self.predicts = chunk, steps, draws, predicts
        self.denoiser = Denoiser(context, chunk, width=width, depth=depth)

    @abstractmethod
    def drawn(self, uniform: torch.Tensor) -> torch.Tensor:
        """Times to learn from, of as many numbers from [0, 1)."""

    @abstractmethod
    def mixed(self, actions: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """(B, H, A), what lies between actions and noise at these times (B, 1, 1), or at one time ()."""

    @abstractmethod
    def target(self, actions: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """(B, H, A), what the denoiser shall say of such a mixture."""

    @abstractmethod
    def onward(self, mixed: torch.Tensor, said: torch.Tensor, *, now: torch.Tensor, then: torch.Tensor) -> torch.Tensor:
        """(B, H, A): what is mixed at one time, as it is at a later step, if what the denoiser said of it is right."""

    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """Mean square of the denoiser's error over actions (B, H, A), weighted by valid (B, H)."""
        windows = len(context)
        context, actions, valid = (part.repeat_interleave(self.draws, dim=0) for part in (context, actions, valid))
        actions = counted(actions, valid)
        noise = of_mine(lambda count: self._drawn_for(count, actions).normal_(), windows).flatten(0, 1)
        uniform = of_mine(lambda count: self._drawn_for(count, actions[:, :1, :1]).uniform_(), windows).flatten(0, 1)
        times = self.drawn(uniform)
        # the denoiser sees whole chunks: what does not count is noise to it at any time
        noisy = torch.where(valid[..., None] > 0, self.mixed(actions, noise, times), noise)
        said = self.denoiser(noisy, self.denoiser.conditions(times[:, 0], context))
        errors = said - self.target(actions, noise)
        return mean_of_valid(errors.square().mean(dim=2), valid)

    def _drawn_for(self, windows: int, like: torch.Tensor) -> torch.Tensor:
        """Room for the draws of so many windows, (windows, draws, …)."""
        return like.new_empty(windows, self.draws, *like.shape[1:])

    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]: one draw, by torch's default generator."""
        chunk = draw_noise(len(context), self.chunk, device=context.device)
        times = torch.linspace(self.noisy, self.clean, self.steps + 1, device=context.device)
        conditions = self.denoiser.conditions(times[:-1, None, None], context)  # (steps, B, …)
        for step in range(self.steps):
            said = self.denoiser(chunk, conditions[step])
            chunk = self.onward(chunk, said, now=times[step], then=times[step + 1])
        return chunk.clamp(-1, 1)
