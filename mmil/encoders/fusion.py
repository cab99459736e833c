"""The one contract of fusions: what they are made of, what they are given, what they give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from mmil.contracts import require_known, require_number
from mmil.encoders.geometry import REACH, ground_places, pluecker_rays
from mmil.encoders.language import Sentence
from mmil.ranks import Dropout


@dataclass(frozen=True)
class Sizes:
    """What a fusion is given: tokens of `token` numbers, over `past` observations, after the `first` of the episode."""

    grids: Mapping[str, tuple[int, int]]  # camera → rows and columns of its visual tokens
    token: int
    sentence: int  # tokens a sentence, beside those of its word pieces
    others: int  # tokens an observation beside the visual ones
    aspects: Mapping[str, float]  # camera → width over height of its picture
    past: int
    signals: tuple[str, ...] = ()  # that the data have
    first: bool = False
    thing: int = (
        0  # the first tokens of a sentence that tell of a goal's object, and the next of its target; 0: any may
    )

    @property
    def observations(self) -> int:
        return self.past + self.first

    def read(self, label: str, numbers: int) -> list[tuple[str, int]]:
        """What reads `numbers` of every observation, for `columns`: of the first one apart from the others."""
        return [(f"{label}.first", numbers)] * self.first + [(label, self.past * numbers)]


@dataclass(frozen=True)
class Context:
    """All the head gets to know, and where the policy looked for it."""

    vector: torch.Tensor  # (B, C)
    looks: Mapping[str, torch.Tensor]  # camera → (B, K, points, N), logarithms of weights over the cells
    sentence: Sentence


class Fusion(nn.Module, ABC):
    """Tokens of all modalities → a Context whose vector has `width` numbers; made of Sizes.

    Cells of calibrated cameras may be told where they lie. ground: the height [m] of the plane that things stand on,
    which may be learnt a little: where it is met, from the hand. rays: the line each looks along.

    What may join a policy that has learnt begins without effect: `columns` says of a weight what its columns read, and
    of the tokens of each of `sources` the loudness is in `hearing`, where they meet those of others in an attention.
    questions: among which the sentence's tokens are shared out, in their order.
    """

    questions: int = 1

    columns: Mapping[str, list[tuple[str, int]]] = {}  # weight → what its columns read, and how many do
    sources: Mapping[str, int] = {}  # camera_<name> or other_<number>, before each its …-first → tokens, in this order

    def __init__(self, sizes: Sizes, *, width: int, ground: float | None = None, rays: bool = False) -> None:
        super().__init__()
        require_number(least=1, width=width)
        self.width, self.grids, self.aspects = width, dict(sizes.grids), dict(sizes.aspects)
        self.rays, self.located = rays, 2 * (ground is not None) + 6 * rays  # numbers a cell is told about its place
        if self.located:
            needed = ["eef_pos_world", *(f"camera_{camera}" for camera in sizes.grids)]
            require_known("signal", needed, sizes.signals, where="in the data, which `ground` and `rays` are made of")
        self.ground = None if ground is None else nn.Parameter(torch.tensor(float(ground)))

    @abstractmethod
    def forward(
        self,
        visual: Mapping[str, torch.Tensor],
        sentence: Sentence,
        *others: torch.Tensor,
        signals: Mapping[str, torch.Tensor],
    ) -> Context:
        """Of visual {camera: (B, K, N, D)}, a sentence's tokens and others, each (B, K, D).

        signals: in physical units, of which camera_<name> and eef_pos_world are read where cells are located.
        """

    def locate(self, camera: str, signals: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """(B, K, N, located) of a camera's cells, if they are told anything."""
        if not self.located:
            return None
        pose, hand = signals[f"camera_{camera}"], hand_now(signals)
        grid, aspect = self.grids[camera], self.aspects[camera]
        told = []
        with torch.autocast(pose.device.type, enabled=False):
            if self.ground is not None:
                told.append(ground_places(pose, hand, grid=grid, height=self.ground, aspect=aspect) / REACH)
            if self.rays:
                told.append(pluecker_rays(pose, hand, grid=grid, aspect=aspect))
            return torch.cat(told, dim=-1)

    def locate_level(self, camera: str, signals: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """(B, K, N, 2): where the lines of sight of a camera's cells are as high as the hand, from there."""
        pose, hand = signals[f"camera_{camera}"], hand_now(signals)
        grid, aspect = self.grids[camera], self.aspects[camera]
        with torch.autocast(pose.device.type, enabled=False):
            return ground_places(pose, hand, grid=grid, height=hand[..., 2:], aspect=aspect) / REACH


def hand_now(signals: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """(B, 1, 3) [m]: from where it is now, whatever was seen earlier is told; what stands still has not moved since."""
    return signals["eef_pos_world"][:, -1:]


def mixing(size: int, width: int, *, dropout: float) -> nn.Sequential:
    """All that was found, side by side, to the context's vector."""
    require_number(least=0, below=1, dropout=dropout)
    return nn.Sequential(
        nn.Linear(size, width),
        nn.LayerNorm(width),
        nn.GELU(),
        Dropout(dropout),
        nn.Linear(width, width),
        nn.GELU(),
    )
