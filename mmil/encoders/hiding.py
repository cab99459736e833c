"""Cameras, signals and wrench hidden from some training samples, so that a policy does without any of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import nn

from mmil.contracts import UserError, require_known
from mmil.ranks import of_mine

CAMERAS = "cameras"


class Hiding(nn.Module):
    """Puts a learned token in place of what is hidden, for all K observations of a sample; in training alone.

    shares: of the samples, by name: `cameras` for each camera by itself, though never for all of a sample's, and any of
    `others`.
    """

    def __init__(
        self, shares: Mapping[str, float], *, cameras: Collection[str], others: Collection[str], width: int
    ) -> None:
        super().__init__()
        require_known("part", shares, [CAMERAS, *others], where="to hide")
        if wrong := [f"{name}: {share}" for name, share in shares.items() if not 0 <= share < 1]:
            raise UserError(f"hide has {wrong[0]}; it is a share of the samples, at least 0 and below 1")
        self.shares = dict(shares)
        hidden = [*(cameras if CAMERAS in shares else ()), *(name for name in others if name in shares)]
        self.tokens = nn.ParameterDict({name: nn.Parameter(torch.zeros(width)) for name in hidden})

    def seen(self, visual: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """{camera: (B, K, N, D)} with whole cameras hidden."""
        share = self.shares.get(CAMERAS, 0.0)
        if not (self.training and share and len(visual) > 1):
            return dict(visual)
        first = next(iter(visual.values()))
        count, device = len(visual), first.device
        hidden = of_mine(lambda rows: torch.rand(rows, count, device=device), len(first)) < share
        left = of_mine(lambda rows: torch.randint(count, (rows, 1), device=device), len(first))  # where none would be
        hidden &= ~(hidden.all(dim=1, keepdim=True) & (torch.arange(len(visual), device=first.device) == left))
        return {name: self._put(name, tokens, hidden[:, at]) for at, (name, tokens) in enumerate(visual.items())}

    def told(self, name: str, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens (B, K, D) of another modality, hidden in its share of the samples."""
        share = self.shares.get(name, 0.0)
        if not (self.training and share):
            return tokens
        drawn = of_mine(lambda rows: torch.rand(rows, device=tokens.device), len(tokens))
        return self._put(name, tokens, drawn < share)

    def _put(self, name: str, tokens: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        return torch.where(hidden.view(-1, *[1] * (tokens.dim() - 1)), self.tokens[name].to(tokens.dtype), tokens)
