"""All tokens to one context vector, with the sentence deciding where to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from mmil.encoders.geometry import ground_places

REACH = 0.2  # [m], the unit in which places on the ground are told to the network


@dataclass(frozen=True)
class Sizes:
    """What a fusion is given: tokens of `token` numbers, over `past` observations."""

    grids: Mapping[str, tuple[int, int]]  # camera → rows and columns of its visual tokens
    token: int
    sentence: int  # tokens a sentence
    others: int  # tokens an observation beside the visual ones
    aspects: Mapping[str, float]  # camera → width over height of its picture
    past: int


@dataclass(frozen=True)
class Context:
    """All the head gets to know, and where the policy looked for it."""

    vector: torch.Tensor  # (B, C)
    looks: Mapping[str, torch.Tensor]  # camera → (B, K, points, N), logarithms of weights over the cells
    sentence: torch.Tensor  # (B, Q, D), tokens


class FilmFusion(nn.Module):
    """Language scales and shifts the visual tokens (FiLM, Perez 2018), which then point at places in each picture.

    `points` softmax maps a camera give where (spatial soft-argmax, Finn 2016) and what is there; both are laid
    beside the signals, the wrench and the sentence and mixed by an MLP.
    """

    def __init__(
        self, sizes: Sizes, *, points: int = 16, width: int = 256, dropout: float = 0.0, ground: float | None = None
    ) -> None:
        super().__init__()
        self.width, self.grids, self.aspects = width, dict(sizes.grids), dict(sizes.aspects)
        # what the hand reaches for stands on a plane; its height may be learnt a little
        self.ground = None if ground is None else nn.Parameter(torch.tensor(float(ground)))
        language = sizes.sentence * sizes.token
        self.look = nn.ModuleDict(
            {
                camera: Pointing(sizes.token, grid, language=language, points=points)
                for camera, grid in sizes.grids.items()
            }
        )
        numbers = 2 + sizes.token // 4 + 2 * (ground is not None)  # a point
        a_step = len(sizes.grids) * points * numbers + sizes.others * sizes.token
        size = sizes.past * a_step + language
        self.mix = nn.Sequential(
            nn.Linear(size, width),
            nn.LayerNorm(width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
        )

    def forward(
        self,
        visual: Mapping[str, torch.Tensor],
        sentence: torch.Tensor,
        *others: torch.Tensor,
        signals: Mapping[str, torch.Tensor],
    ) -> Context:
        """Of visual {camera: (B, K, N, D)}, sentence (B, Q, D) and others, each (B, K, D).

        signals: in physical units, of which camera_<name> and eef_pos_world are read where there is a ground.
        """
        language = sentence.flatten(1)
        seen, looks = [], {}
        for camera, look in self.look.items():
            found, looks[camera] = look(visual[camera], language, self._ground_places(camera, signals))
            seen.append(found)  # (B, K, points · …)
        vector = self.mix(torch.cat([part.flatten(1) for part in (*seen, *others)] + [language], dim=1))
        return Context(vector, looks, sentence)

    def _ground_places(self, camera: str, signals: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        if self.ground is None:
            return None
        with torch.autocast(self.ground.device.type, enabled=False):
            pose, hand = signals[f"camera_{camera}"], signals["eef_pos_world"]
            grid, aspect = self.grids[camera], self.aspects[camera]
            return ground_places(pose, hand, grid=grid, height=self.ground, aspect=aspect) / REACH


class Pointing(nn.Module):
    """Where in one camera's picture the sentence's things are, and what is there.

    Where cells have a place on the ground, a point is also told as metres from the hand: a camera may stand anywhere.
    The places do not help to choose the point: “nearest to the hand” would do for “the one that was asked for”.
    """

    places: torch.Tensor  # (N, 2)

    def __init__(self, width: int, grid: tuple[int, int], *, language: int, points: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(language, 2 * width), nn.Linear(language, 2 * width)
        self.between = nn.Linear(width, width)
        self.where, self.what = nn.Linear(width, points), nn.Linear(width, width // 4)
        rows, columns = (torch.linspace(-1, 1, size) for size in grid)
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)
        self.register_buffer("places", places, persistent=False)

    def forward(
        self, tokens: torch.Tensor, language: torch.Tensor, ground: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, K, points · (2 + width / 4)), 2 more a point with a ground (B, K, N, 2), of tokens (B, K, N, width).

        And the logarithms of the points' maps (B, K, points, N).
        """
        x = F.gelu(film(tokens, self.first(language)))
        x = F.gelu(film(self.between(x), self.second(language)))
        looks = self.where(x).float().log_softmax(dim=2).transpose(2, 3)  # (B, K, points, N)
        maps = looks.exp()
        with torch.autocast(x.device.type, enabled=False):  # a place in 8 bits would be off by a pixel
            places = self.places.expand(*maps.shape[:2], -1, -1)
            where = maps @ (places if ground is None else torch.cat([places, ground], dim=3))
        return torch.cat([where.flatten(2), (maps @ self.what(x)).flatten(2)], dim=2), looks


def film(tokens: torch.Tensor, scale_shift: torch.Tensor) -> torch.Tensor:
    """tokens (B, K, N, D) scaled and shifted by (B, 2·D)."""
    scale, shift = scale_shift[:, None, None].chunk(2, dim=-1)
    return tokens * (1 + scale) + shift
