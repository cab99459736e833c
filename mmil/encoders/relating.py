"""Where cells lie beside marks that all cameras set: which of two cubes is the leftmost, or next to the can."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from mmil.encoders.conditioning import film
from mmil.encoders.geometry import REACH

FAR = 0.4 / REACH  # sideways, from a mark: what lies beyond is as far
NEAR = (0.04 / REACH, 0.15 / REACH)  # at that place, and next to it


class Relating(nn.Module):
    """A second look at one camera's cells, which are told where each lies beside the marks of every camera.

    A mark is the mean place on the ground of the cells that answer to it. So cells that answer alike can be told apart
    by what else is there, and a camera that sees one thing alone by what another one sees.
    """

    def __init__(self, width: int, cameras: Sequence[str], *, language: int, marks: int) -> None:
        super().__init__()
        told = marks * (2 + len(NEAR))
        self.mark = nn.Linear(width, marks)
        self.beside = nn.Linear(len(cameras) * told, width)
        self.columns = {"beside.weight": [(f"camera.{camera}", told) for camera in cameras]}
        self.between, self.language = nn.Linear(width, width), nn.Linear(language, 2 * width)

    def marks(self, cells: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """(B, K, marks, 2) of cells (B, K, N, width) at `places` (B, K, N, 2) on the ground."""
        maps = self.mark(cells).float().softmax(dim=2)
        with torch.autocast(cells.device.type, enabled=False):  # in 8 bits a place would be off by a centimetre
            return maps.transpose(2, 3) @ places

    def forward(
        self, cells: torch.Tensor, language: torch.Tensor, places: torch.Tensor, marks: torch.Tensor
    ) -> torch.Tensor:
        """(B, K, N, width) of as many cells, a sentence (B, language), places and the marks of all (B, K, M, 2)."""
        beside = self.beside(apart(places, marks))
        return F.gelu(film(self.between(cells) + beside, self.language(language)))


def apart(places: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
    """(…, N, M · 4): how far each place (…, N, 2) lies from each mark (…, M, 2) either way, and whether near it."""
    way = places[..., :, None, :] - marks[..., None, :, :]
    squared = way.square().sum(dim=-1, keepdim=True)
    near = [torch.exp(-squared / reach**2) for reach in NEAR]
    return torch.cat([way.clamp(-FAR, FAR), *near], dim=-1).flatten(-2)
