"""encoders → fusion → head: pictures, signals, wrench and a sentence to a chunk of actions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from mmil.contracts import Batch, Spec, UserError
from mmil.data.stats import Stats
from mmil.encoders import Context, Fusion, SignalTokens, Sizes, TextTokens, TimmVision, WrenchTokens
from mmil.heads import Head
from mmil.normalizer import Normalizer


class Policy(nn.Module):
    """A network that takes a Batch in physical units; shapes come from `spec`, units from `stats`.

    Each part is given as a constructor that lacks only what the data decides. past, future: K and H. signals, wrench:
    None for data that have none, or to go without.
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
        past: int = 1,
        future: int = 8,
    ) -> None:
        super().__init__()
        self.spec, self.past, self.future = spec, past, future
        self.normalizer = Normalizer(stats)
        self.vision, self.language = vision(spec), language(spec)
        self.signals = signals(spec) if signals else None
        self.wrench = wrench(spec) if wrench else None
        self.aspects = {camera: shape[1] / shape[0] for camera, shape in spec.cameras.items()}
        self.fusion = fusion(
            Sizes(
                self.vision.grids,
                token=self._width(),
                sentence=self.language.tokens,
                others=(signals is not None) + (wrench is not None),
                past=past,
                aspects=self.aspects,
                signals=tuple(spec.signals),
            )
        )
        self.head = head(self.fusion.width, (future, len(spec.action)))

    def context(self, batch: Batch) -> Context:
        """All the head gets to know of a batch."""
        signals = self.normalizer(batch.signals)
        return self.fusion(
            self.vision(batch.images),
            self.language(batch.instruction),
            *(part(signals) for part in (self.signals, self.wrench) if part is not None),
            signals=batch.signals,
        )

    def loss(self, batch: Batch, context: Context | None = None) -> torch.Tensor:
        """The head's, of a context that is at hand or of the batch's own."""
        context = context or self.context(batch)
        return self.head.loss(context.vector, batch.actions, batch.valid)

    @torch.no_grad()
    def sample(self, batch: Batch) -> torch.Tensor:
        """(B, H, A) in [−1, 1]."""
        return self.head.sample(self.context(batch).vector)

    def _width(self) -> int:
        """Numbers a token, on which all encoders must agree."""
        parts = {"vision": self.vision, "language": self.language, "signals": self.signals, "wrench": self.wrench}
        widths = {name: part.width for name, part in parts.items() if part is not None}
        if len(set(widths.values())) > 1:
            told = ", ".join(f"{name} {width}" for name, width in widths.items())
            raise UserError(f"tokens of the encoders differ in `width`: {told}; give all the same")
        return self.vision.width
