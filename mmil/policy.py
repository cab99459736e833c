"""encoders → fusion → head: pictures, signals, wrench and a sentence to a chunk of actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from mmil.contracts import Batch, Spec, UserError, require_number
from mmil.data.stats import Stats
from mmil.encoders import (
    Context,
    DepthTokens,
    Fusion,
    SignalTokens,
    Sizes,
    TextTokens,
    TimmVision,
    WrenchTokens,
)
from mmil.encoders.hiding import Hiding
from mmil.encoders.symbols import THING
from mmil.execution import FUTURE
from mmil.heads import Head
from mmil.normalizer import Normalizer


class Policy(nn.Module):
    """A network that takes a Batch in physical units; shapes come from `spec`, units from `stats`.

    Each part is given as a constructor that lacks only what the data decides. past, future: K and H. signals, wrench:
    None for data that have none, or to go without; so depth, which needs the data's `maps: [depth]` too. first: it also
    sees the episode's first observation, when nothing stood in the way yet. hide: the share of training samples from
    which `cameras` (each by itself, never all), `signals`, `wrench` or `depth` are hidden.
    """

    def __init__(
        self,
        spec: Spec,
        stats: Stats,
        *,
        vision: Callable[[Spec], TimmVision],
        language: Callable[[Spec], TextTokens],
        signals: Callable[[Spec], SignalTokens] | None,
        wrench: Callable[[Spec], WrenchTokens] | None,
        fusion: Callable[[Sizes], Fusion],
        head: Callable[[int, tuple[int, int]], Head],
        depth: Callable[[Spec], DepthTokens] | None = None,
        past: int = 1,
        first: bool = False,
        future: int = FUTURE,
        hide: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        require_number(least=1, past=past, future=future)
        self.spec, self.past, self.first, self.future = spec, past, first, future
        self.normalizer = Normalizer(stats)
        self.vision, self.language = vision(spec), language(spec)
        self.signals = signals(spec) if signals else None
        self.wrench = wrench(spec) if wrench else None
        self.depth = depth(spec) if depth else None
        width, others = self._width(), self.others
        self.hiding = Hiding(hide or {}, cameras=spec.cameras, others=others, width=width)
        self.aspects = {camera: shape[1] / shape[0] for camera, shape in spec.cameras.items()}
        self.fusion = fusion(
            Sizes(
                self.vision.grids,
                token=width,
                sentence=self.language.tokens,
                thing=len(THING) if self.language.symbols is not None else 0,
                others=len(others),
                past=past,
                first=first,
                aspects=self.aspects,
                signals=tuple(spec.signals),
            )
        )
        self.head = head(self.fusion.width, (future, len(spec.action)))

    def context(self, batch: Batch) -> Context:
        """All the head gets to know of a batch."""
        signals = self.normalizer(batch.signals)
        others = {name: part(batch.maps if name == "depth" else signals) for name, part in self.others.items()}
        return self.fusion(
            self.hiding.seen(self.vision(batch.images)),
            self.language(batch.instruction),
            *(self.hiding.told(name, tokens) for name, tokens in others.items()),
            signals=batch.signals,
        )

    def loss(self, batch: Batch, context: Context | None = None) -> torch.Tensor:
        """The head's, of a context that is at hand or of the batch's own; each window counts as much as it weighs."""
        context = context or self.context(batch)
        valid = batch.valid if batch.weight is None else batch.valid * batch.weight[:, None]
        return self.head.loss(context.vector, batch.actions, valid)

    @torch.no_grad()
    def sample(self, batch: Batch) -> torch.Tensor:
        """(B, H, A) in [−1, 1]."""
        return self.head.sample(self.context(batch).vector)

    @property
    def others(self) -> dict[str, SignalTokens | WrenchTokens | DepthTokens]:
        """What gives a token an observation, in this order."""
        parts = {"signals": self.signals, "wrench": self.wrench, "depth": self.depth}
        return {name: part for name, part in parts.items() if part is not None}

    def _width(self) -> int:
        """Numbers a token, on which all encoders must agree."""
        widths = {"vision": self.vision.width, "language": self.language.width}
        widths |= {name: part.width for name, part in self.others.items()}
        if len(set(widths.values())) > 1:
            told = ", ".join(f"{name} {width}" for name, width in widths.items())
            raise UserError(f"tokens of the encoders differ in `width`: {told}; give all the same")
        return self.vision.width
