"""Maps over a picture's cells to places and what is there (spatial soft-argmax, Finn 2016)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Pointer(nn.Module):
    """Queries that point at places in one camera's picture, by how well its cells answer.

    What a cell is told of its place in the world is told with the point and does not help to choose it: “nearest to
    the hand” would do for “the one that was asked for”.
    """

    places: torch.Tensor  # (N, 2)

    def __init__(self, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.ask, self.between = nn.Linear(width, width), nn.Linear(width, width)
        self.answer, self.what = nn.Linear(width, width), nn.Linear(width, width // 4)
        self.register_buffer("places", grid_places(grid), persistent=False)

    def forward(
        self, queries: torch.Tensor, tokens: torch.Tensor, located: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, K, points · (2 + located + width / 4)) of queries (B, K, points, width) and tokens (B, K, N, width).

        And the logarithms of the points' maps (B, K, points, N). located: (B, K, N, located), if cells are.
        """
        x = F.gelu(self.between(tokens))
        scores = self.ask(queries) @ self.answer(x).transpose(2, 3) / x.shape[-1] ** 0.5
        looks = scores.float().log_softmax(dim=3)
        return pointed(looks, self.what(x), self.places, located), looks


def pointed(
    looks: torch.Tensor, what: torch.Tensor, places: torch.Tensor, located: torch.Tensor | None
) -> torch.Tensor:
    """(B, K, points · (2 + located + D)): where maps (B, K, points, N) lie, and what (B, K, N, D) is there."""
    every = places.expand(*looks.shape[:2], -1, -1)
    where = placed(looks, every if located is None else torch.cat([every, located], dim=3))
    return torch.cat([where.flatten(2), (looks.exp() @ what).flatten(2)], dim=2)


def placed(looks: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """(B, K, points, D): the mean of places (B, K, N, D) that maps (B, K, points, N), logarithms, point at."""
    with torch.autocast(places.device.type, enabled=False):  # a place in 8 bits would be off by a pixel
        return looks.exp() @ places


def grid_places(grid: tuple[int, int]) -> torch.Tensor:
    """(N, 2): row and column of every cell in [−1, 1]."""
    rows, columns = (torch.linspace(-1, 1, size) for size in grid)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)
