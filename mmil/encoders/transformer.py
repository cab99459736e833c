"""Every token asks every other."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import require_number
from mmil.encoders.attention import Block
from mmil.encoders.fusion import Context, Fusion, Sizes, mixing
from mmil.encoders.hearing import Hearing
from mmil.encoders.language import Sentence
from mmil.encoders.pointing import Pointer, grid_places


class TransformerFusion(Fusion):
    """A small transformer over all tokens: pictures, sentence, signals, wrench, a readout and `points` slots.

    A picture gives at most `cells` tokens, means over its own. All tokens know their kind, those of an instant its
    time, those of a picture camera and place. In the end the slots point at places in the pictures as they were, of
    every observation; what they find is laid beside the readout and mixed by an MLP. inside: numbers a token in here.
    A camera or a signal encoder that joins a policy that has learnt is not asked at first (Hearing).
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        layers: int = 2,
        heads: int = 4,
        inside: int = 96,
        cells: int = 64,
        points: int = 8,
        width: int = 256,
        dropout: float = 0.0,
        ground: float | None = None,
        rays: bool = False,
    ) -> None:
        super().__init__(sizes, width=width, ground=ground, rays=rays)
        require_number(least=1, layers=layers, heads=heads, inside=inside, cells=cells, points=points)
        self.slots = nn.Parameter(torch.randn(1 + points, inside) / inside**0.5)  # the readout first
        # of each kind, whose bias says which it is
        self.words = nn.Linear(sizes.token, inside)
        self.others = nn.ModuleList(nn.Linear(sizes.token, inside) for _ in range(sizes.others))
        self.cameras = nn.ModuleDict({camera: nn.Linear(sizes.token, inside) for camera in sizes.grids})
        self.place = nn.Linear(2 + self.located, inside)
        self.time = nn.Parameter(0.02 * torch.randn(sizes.past, inside))
        self.first = nn.Parameter(0.02 * torch.randn(1, inside)) if sizes.first else None  # that observation's time
        for camera, grid in sizes.grids.items():
            self.register_buffer(f"_pool_{camera}", pooling(grid, most=cells), persistent=False)
            self.register_buffer(f"_places_{camera}", grid_places(grid), persistent=False)
        self.blocks = nn.ModuleList(Block(inside, heads=heads, dropout=dropout) for _ in range(layers))
        self.hearing = Hearing()
        tokens = [one for number in range(sizes.others) for one in sizes.read(f"other_{number}", 1)]
        for camera in sizes.grids:
            tokens += sizes.read(f"camera_{camera}", len(getattr(self, f"_pool_{camera}")))
        self.sources = {name.replace(".", "-"): count for name, count in tokens}  # a parameter's name has no dot
        self.normed, self.ask = nn.LayerNorm(inside), nn.Linear(inside, sizes.token)
        self.point = nn.ModuleDict({camera: Pointer(sizes.token, grid) for camera, grid in sizes.grids.items()})
        found = points * (2 + sizes.token // 4 + self.located)
        read = [("readout", inside)]
        read += [one for camera in sizes.grids for one in sizes.read(f"camera.{camera}", found)]
        self.columns = {"mix.0.weight": read}  # what each column reads, for whoever begins with these weights
        self.mix = mixing(sum(size for _, size in read), width, dropout=dropout)

    def forward(
        self,
        visual: Mapping[str, torch.Tensor],
        sentence: Sentence,
        *others: torch.Tensor,
        signals: Mapping[str, torch.Tensor],
    ) -> Context:
        located = {camera: self.locate(camera, signals) for camera in self.grids}
        x, real = self._sequence(visual, sentence, others, located)
        own = x.shape[1] - sum(self.sources.values())
        loud = self.hearing.loud({"own": own, **self.sources}, like=x)
        for block in self.blocks:
            x = block(x, real=real, loud=loud)
        slots = self.normed(x[:, : len(self.slots)])
        past = next(iter(visual.values())).shape[1]
        queries = self.ask(slots[:, 1:])[:, None].expand(-1, past, -1, -1)  # (B, K, points, D)
        seen, looks = [slots[:, 0]], {}
        for camera, point in self.point.items():
            found, looks[camera] = point(queries, visual[camera], located[camera])
            seen.append(found.flatten(1))
        return Context(self.mix(torch.cat(seen, dim=1)), looks, sentence)

    def _sequence(
        self,
        visual: Mapping[str, torch.Tensor],
        sentence: Sentence,
        others: tuple[torch.Tensor, ...],
        located: Mapping[str, torch.Tensor | None],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """All tokens (B, L, inside), slots first, and which are real (B, L)."""
        words = self.words(torch.cat([sentence.tokens, sentence.pieces], dim=1))
        batch, dtype = len(words), words.dtype
        time = (self.time if self.first is None else torch.cat([self.first, self.time])).to(dtype)
        parts = [self.slots.expand(batch, -1, -1).to(dtype), words]
        parts += [kind(other) + time for kind, other in zip(self.others, others, strict=True)]
        for camera, kind in self.cameras.items():
            pool, places = getattr(self, f"_pool_{camera}"), getattr(self, f"_places_{camera}")
            place = pool @ beside(places, located[camera])
            x = kind(pool.to(visual[camera].dtype) @ visual[camera]) + self.place(place).to(dtype)
            parts.append((x + time[:, None]).flatten(1, 2))
        real = sentence.real.new_ones(batch, sum(part.shape[1] for part in parts))
        first = len(self.slots) + sentence.tokens.shape[1]
        real[:, first : first + sentence.real.shape[1]] = sentence.real
        return torch.cat(parts, dim=1), real


def beside(places: torch.Tensor, located: torch.Tensor | None) -> torch.Tensor:
    """(B, K, N, 2 + located) of (N, 2) and (B, K, N, located); the places alone where cells are told nothing."""
    if located is None:
        return places
    return torch.cat([places.expand(*located.shape[:2], -1, -1), located], dim=-1)


def pooling(grid: tuple[int, int], *, most: int) -> torch.Tensor:
    """(n, N): means over the N cells of a grid that make at most n ≤ `most`, shaped alike."""
    rows, columns = grid
    fewer = min(rows, max(1, round((most * rows / columns) ** 0.5)))
    shape = fewer, max(1, min(columns, most // fewer))
    ones = torch.eye(rows * columns).view(rows * columns, 1, rows, columns)
    return F.adaptive_avg_pool2d(ones, shape).flatten(1).T.contiguous()
