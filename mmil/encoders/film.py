"""Language scales and shifts what is seen."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import require_number
from mmil.encoders.fusion import Context, Fusion, Sizes, mixing
from mmil.encoders.language import Sentence
from mmil.encoders.pointing import grid_places, pointed


class FilmFusion(Fusion):
    """Language scales and shifts the visual tokens (FiLM, Perez 2018), which then point at places in each picture.

    `points` softmax maps a camera give where (spatial soft-argmax, Finn 2016) and what is there; both are laid
    beside the signals, the wrench and the sentence and mixed by an MLP.
    """

    def __init__(
        self, sizes: Sizes, *, points: int = 16, width: int = 256, dropout: float = 0.0, ground: float | None = None
    ) -> None:
        super().__init__(sizes, width=width, ground=ground)
        require_number(least=1, points=points)
        language = sizes.sentence * sizes.token
        self.look = nn.ModuleDict(
            {
                camera: Pointing(sizes.token, grid, language=language, points=points)
                for camera, grid in sizes.grids.items()
            }
        )
        numbers = 2 + sizes.token // 4 + self.located  # a point
        read = [(f"camera.{camera}", sizes.past * points * numbers) for camera in sizes.grids]
        read += [(f"other.{number}", sizes.past * sizes.token) for number in range(sizes.others)]
        read.append(("sentence", language))
        self.columns = {"mix.0.weight": read}  # what each column reads, for whoever begins with these weights
        self.mix = mixing(sum(size for _, size in read), width, dropout=dropout)

    def forward(
        self,
        visual: Mapping[str, torch.Tensor],
        sentence: Sentence,
        *others: torch.Tensor,
        signals: Mapping[str, torch.Tensor],
    ) -> Context:
        language = sentence.tokens.flatten(1)
        seen, looks = [], {}
        for camera, look in self.look.items():
            found, looks[camera] = look(visual[camera], language, self.locate(camera, signals))
            seen.append(found)  # (B, K, points · …)
        vector = self.mix(torch.cat([part.flatten(1) for part in (*seen, *others)] + [language], dim=1))
        return Context(vector, looks, sentence.tokens)


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
        self.register_buffer("places", grid_places(grid), persistent=False)

    def forward(
        self, tokens: torch.Tensor, language: torch.Tensor, located: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, K, points · (2 + width / 4)), 2 more a point with a ground (B, K, N, 2), of tokens (B, K, N, width).

        And the logarithms of the points' maps (B, K, points, N).
        """
        x = F.gelu(film(tokens, self.first(language)))
        x = F.gelu(film(self.between(x), self.second(language)))
        looks = self.where(x).float().log_softmax(dim=2).transpose(2, 3)  # (B, K, points, N)
        return pointed(looks, self.what(x), self.places, located), looks


def film(tokens: torch.Tensor, scale_shift: torch.Tensor) -> torch.Tensor:
    """tokens (B, K, N, D) scaled and shifted by (B, 2·D)."""
    scale, shift = scale_shift[:, None, None].chunk(2, dim=-1)
    return tokens * (1 + scale) + shift
