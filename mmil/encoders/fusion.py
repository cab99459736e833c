"""All tokens to one context vector, with the sentence deciding where to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Sizes:
    """What a fusion is given: tokens of `token` numbers, over `past` observations."""

    grids: Mapping[str, tuple[int, int]]  # camera → rows and columns of its visual tokens
    token: int
    sentence: int  # tokens a sentence
    others: int  # tokens an observation beside the visual ones
    past: int


class FilmFusion(nn.Module):
    """Language scales and shifts the visual tokens (FiLM, Perez 2018), which then point at places in each picture.

    `points` softmax maps a camera give where (spatial soft-argmax, Finn 2016) and what is there; both are laid
    beside the signals, the wrench and the sentence and mixed by an MLP.
    """

    def __init__(self, sizes: Sizes, *, points: int = 16, width: int = 256, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = width
        language = sizes.sentence * sizes.token
        self.look = nn.ModuleDict(
            {camera: Pointing(sizes.token, grid, language=language, points=points) for camera, grid in sizes.grids.items()}
        )
        a_step = len(sizes.grids) * points * (2 + sizes.token // 4) + sizes.others * sizes.token
        size = sizes.past * a_step + language
        self.mix = nn.Sequential(
            nn.Linear(size, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width), nn.GELU()
        )

    def forward(
        self, visual: Mapping[str, torch.Tensor], sentence: torch.Tensor, *others: torch.Tensor
    ) -> torch.Tensor:
        """(B, width) of visual {camera: (B, K, N, D)}, sentence (B, Q, D) and others, each (B, K, D)."""
        language = sentence.flatten(1)
        seen = [self.look[camera](tokens, language) for camera, tokens in visual.items()]  # (B, K, points · …)
        return self.mix(torch.cat([part.flatten(1) for part in (*seen, *others)] + [language], dim=1))


class Pointing(nn.Module):
    """Where in one camera's picture the sentence's things are, and what is there."""

    def __init__(self, width: int, grid: tuple[int, int], *, language: int, points: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(language, 2 * width), nn.Linear(language, 2 * width)
        self.between = nn.Linear(width, width)
        self.where, self.what = nn.Linear(width, points), nn.Linear(width, width // 4)
        rows, columns = (torch.linspace(-1, 1, size) for size in grid)
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)
        self.register_buffer("places", places, persistent=False)  # (N, 2)

    def forward(self, tokens: torch.Tensor, language: torch.Tensor) -> torch.Tensor:
        """(B, K, points · (2 + width / 4)) of tokens (B, K, N, width)."""
        x = F.gelu(film(tokens, self.first(language)))
        x = F.gelu(film(self.between(x), self.second(language)))
        maps = self.where(x).float().softmax(dim=2).transpose(2, 3)  # (B, K, points, N)
        with torch.autocast(x.device.type, enabled=False):  # a place in 8 bits would be off by a pixel
            where = maps @ self.places
        return torch.cat([where.flatten(2), (maps @ self.what(x)).flatten(2)], dim=2)


def film(tokens: torch.Tensor, scale_shift: torch.Tensor) -> torch.Tensor:
    """tokens (B, K, N, D) scaled and shifted by (B, 2·D)."""
    scale, shift = scale_shift[:, None, None].chunk(2, dim=-1)
    return tokens * (1 + scale) + shift
