"""The range of a signal over a data set, and which episodes lie far outside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

FAR = 3.0  # an outlier lies further than this many 1 %–99 % spans outside that span
KEPT = 4  # episodes with the least, and as many with the most, of every axis


@dataclass(frozen=True)
class Range:
    """One axis of a signal over the whole data set."""

    axis: str
    low: float
    percentiles: tuple[float, float, float]  # 1 %, median, 99 %
    high: float
    outliers: tuple[tuple[int, float], ...]  # episode and its extreme, the furthest first

    @property
    def constant(self) -> bool:
        return self.low == self.high


@dataclass
class Ranges:
    """Gathers a signal (N, …, D): exact extremes with their episodes, and a sample for percentiles."""

    axes: Sequence[str]
    sample: list[np.ndarray] = field(default_factory=list)
    _least: np.ndarray | None = None  # (n, D, 2) the smallest of an episode, and which episode it is
    _most: np.ndarray | None = None

    def add(self, values: np.ndarray, chosen: np.ndarray, *, episode: int) -> None:
        """`values` (N, …, D) with N > 0; `chosen` bool (N,) go into the sample."""
        flat = values.reshape(len(values), -1, values.shape[-1] if values.ndim > 1 else 1).astype(float)
        self.sample.append(flat[chosen].reshape(-1, flat.shape[-1]))
        self._least = _kept(self._least, flat.min(axis=(0, 1)), episode, descending=False)
        self._most = _kept(self._most, flat.max(axis=(0, 1)), episode, descending=True)

    def result(self) -> list[Range]:
        """A range an axis; none where nothing was added or the signal has no axes."""
        if self._least is None or self._most is None or not self._least.shape[1]:
            return []
        sample = np.concatenate(self.sample)
        sample = sample if len(sample) else np.concatenate([self._least[..., 0], self._most[..., 0]])
        spans = np.percentile(sample, (1, 50, 99), axis=0).T
        names = self.axes if len(self.axes) == len(spans) else [str(i + 1) for i in range(len(spans))]
        return [
            Range(name, low[0, 0], tuple(span), high[0, 0], _outliers(low, high, span))
            for name, low, span, high in zip(
                names, self._least.swapaxes(0, 1), spans.tolist(), self._most.swapaxes(0, 1), strict=True
            )
        ]


def _kept(there: np.ndarray | None, found: np.ndarray, episode: int, *, descending: bool) -> np.ndarray:
    """The KEPT furthest of what is there and what was found, by axis; the furthest first."""
    new = np.stack([found, np.full(len(found), float(episode))], axis=-1)[None]
    every = new if there is None else np.concatenate([there, new])
    order = np.argsort(-every[..., 0] if descending else every[..., 0], axis=0, kind="stable")[:KEPT]
    return np.take_along_axis(every, order[..., None], axis=0)


def _outliers(low: np.ndarray, high: np.ndarray, span: Sequence[float]) -> tuple[tuple[int, float], ...]:
    """Of the episodes kept for one axis, (n, 2) each, those that lie far out."""
    first, _, last = span
    beyond = FAR * (last - first)
    out = [(first - value, episode, value) for value, episode in low if value < first - beyond]
    out += [(value - last, episode, value) for value, episode in high if value > last + beyond]
    return tuple((int(episode), float(value)) for _, episode, value in sorted(out, reverse=True))
