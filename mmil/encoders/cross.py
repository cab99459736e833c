"""Words ask the pictures."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmil.contracts import require_number
from mmil.encoders.attention import Attention, Block
from mmil.encoders.fusion import Context, Fusion, Sizes, mixing
from mmil.encoders.hearing import Hearing
from mmil.encoders.language import Sentence
from mmil.encoders.pointing import Pointer
from mmil.ranks import Dropout


class CrossFusion(Fusion):
    """Cross-attention from language to vision: every word piece asks the cells of all cameras, layer after layer.

    With the words go `points` learned slots, which gather from both and then point at places in each picture; what
    they find is laid beside the signals, the wrench and the sentence and mixed by an MLP. Each observation is asked
    for itself. ground, rays: what cells tell of their place, in answers only, never in how well they fit.
    A camera that joins a policy that has learnt is not asked at first (Hearing).
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        layers: int = 2,
        heads: int = 4,
        points: int = 16,
        width: int = 256,
        dropout: float = 0.0,
        ground: float | None = None,
        rays: bool = False,
    ) -> None:
        super().__init__(sizes, width=width, ground=ground, rays=rays)
        require_number(least=1, layers=layers, heads=heads, points=points)
        token = sizes.token
        self.slots = nn.Parameter(torch.randn(points, token) / token**0.5)
        self.camera = nn.ParameterDict({name: nn.Parameter(0.02 * torch.randn(token)) for name in sizes.grids})
        self.place = nn.Linear(self.located, token) if self.located else None
        self.layers = nn.ModuleList(Asking(token, heads=heads, dropout=dropout) for _ in range(layers))
        self.hearing = Hearing()
        self.sources = {f"camera_{camera}": rows * columns for camera, (rows, columns) in sizes.grids.items()}
        self.normed = nn.LayerNorm(token)
        self.point = nn.ModuleDict({camera: Pointer(token, grid) for camera, grid in sizes.grids.items()})
        numbers = 2 + token // 4 + self.located  # a point
        read = sizes.read("slots", points * token)
        read += [one for camera in sizes.grids for one in sizes.read(f"camera.{camera}", points * numbers)]
        read += [one for number in range(sizes.others) for one in sizes.read(f"other.{number}", token)]
        read.append(("sentence", sizes.sentence * token))
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
        keys, values = self._cells(visual, located)
        past = next(iter(visual.values())).shape[1]
        x, real = self._asking(sentence, keys.dtype)
        x, real = x.repeat_interleave(past, dim=0), real.repeat_interleave(past, dim=0)
        loud = self.hearing.loud(self.sources, like=x)
        for layer in self.layers:
            x = layer(x, keys, values, real=real, loud=loud)
        slots = self.normed(x[:, : len(self.slots)]).unflatten(0, (-1, past))  # (B, K, points, D)
        seen, looks = [slots.flatten(2)], {}
        for camera, point in self.point.items():
            found, looks[camera] = point(slots, visual[camera], located[camera])
            seen.append(found)
        language = sentence.tokens.flatten(1)
        vector = self.mix(torch.cat([part.flatten(1) for part in (*seen, *others)] + [language], dim=1))
        return Context(vector, looks, sentence)

    def _asking(self, sentence: Sentence, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """Slots, the sentence's tokens and its word pieces (B, L, D), and which of them are real (B, L)."""
        batch, padded = len(sentence.real), len(self.slots) + sentence.tokens.shape[1]
        parts = [self.slots.expand(batch, -1, -1), sentence.tokens, sentence.pieces]
        real = torch.cat([sentence.real.new_ones(batch, padded), sentence.real], dim=1)
        return torch.cat([part.to(dtype) for part in parts], dim=1), real

    def _cells(
        self, visual: Mapping[str, torch.Tensor], located: Mapping[str, torch.Tensor | None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (B·K, cells of all cameras, D)."""
        keys, values = [], []
        for camera, tokens in visual.items():
            keys.append(tokens + self.camera[camera].to(tokens.dtype))
            place = located[camera]
            told = None if self.place is None else self.place(place).to(tokens.dtype)
            values.append(keys[-1] if told is None else keys[-1] + told)
        return torch.cat(keys, dim=2).flatten(0, 1), torch.cat(values, dim=2).flatten(0, 1)


class Asking(nn.Module):
    """Tokens ask cells, then one another."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.cells = nn.LayerNorm(width), Attention(width, heads=heads)
        self.dropout, self.block = Dropout(dropout), Block(width, heads=heads, dropout=dropout)

    def forward(
        self,
        x: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        *,
        real: torch.Tensor,
        loud: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, L, width) of the same, cells (B, N, width), who is real (B, L), and how loud each cell is (N,)."""
        x = x + self.dropout(self.cells(self.norm(x), keys, values, loud=loud)).to(x.dtype)
        return self.block(x, real=real)
