"""What the numbers of a data set are like, so that a policy can normalise them: one pass, no image decoded.

One value for each element of a signal's last axis (all R readings of a wrench share six), so it broadcasts against
the signal itself. Mean, deviation and extremes are exact; quantiles too, up to RESERVOIR rows, and sampled beyond.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmil.contracts import UserError, flags_of
from mmil.data.dataset import Dataset
from mmil.data.members import read_samples
from mmil.data.sample import decode_arrays
from mmil.data.shards import Row
from mmil.progress import progress

RESERVOIR = 1 << 16  # rows kept a signal
LOW, HIGH = 0.01, 0.99


@dataclass(frozen=True, eq=False)
class Moments:
    """float64 (D,) each, in the units of the signal; () for a signal that is one number."""

    mean: np.ndarray
    std: np.ndarray
    min: np.ndarray
    max: np.ndarray
    low: np.ndarray  # 1 % quantile
    high: np.ndarray  # 99 % quantile

    def to_json(self) -> dict[str, Any]:
        return {name: value.tolist() for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Moments:
        names = [item.name for item in dataclasses.fields(cls)]
        if sorted(data) != sorted(names):
            raise UserError(f"not statistics: got {', '.join(data)}, expected {', '.join(names)}")
        return cls(**{name: np.asarray(value, np.float64) for name, value in data.items()})


@dataclass(frozen=True)
class Stats:
    """Of every signal, of what was executed and of what the expert answered."""

    signals: Mapping[str, Moments]
    actions: Moments
    labels: Moments
    steps: int  # how many actions they were taken over

    def to_json(self) -> dict[str, Any]:
        signals = {name: moments.to_json() for name, moments in self.signals.items()}
        return {
            "signals": signals,
            "actions": self.actions.to_json(),
            "labels": self.labels.to_json(),
            "steps": self.steps,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Stats:
        return cls(
            signals={name: Moments.from_json(moments) for name, moments in data["signals"].items()},
            actions=Moments.from_json(data["actions"]),
            labels=Moments.from_json(data["labels"]),
            steps=data["steps"],
        )


def compute(dataset: Dataset, *, rows: Iterable[Row] | None = None) -> Stats:
    """Over the whole data set, or over some of its episodes."""
    rows = list(dataset.rows if rows is None else rows)
    if not any(row.steps for row in rows):
        raise UserError(f"{dataset.path} has no episode to take statistics of")
    shapes = {f"signals/{name}": shape for name, shape in dataset.spec.signals.items()}
    shapes |= {name: (len(dataset.spec.action),) for name in ("actions", "labels")}
    running = {name: Running(shape[-1:]) for name, shape in shapes.items()}
    samples = read_samples(dataset.path, rows, want=lambda suffix: suffix == "npz")
    for row, sample in progress(samples, "statistics", total=len(rows), unit="episodes"):
        for name, array in decode_arrays(sample["npz"], list(shapes)).items():
            running[name].add(array[flags_of(row.labelled, row.steps)] if name == "labels" else array)
    moments = {name: one.moments() for name, one in running.items()}
    signals = {name: moments[f"signals/{name}"] for name in dataset.spec.signals}
    return Stats(signals, moments["actions"], moments["labels"], sum(row.steps for row in rows))


class Running:
    """Moments of a stream of arrays (…, D), in memory that does not grow with it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape, width = shape, int(np.prod(shape))
        self._count = 0
        self._mean, self._squares = np.zeros(width), np.zeros(width)
        self._min, self._max = np.full(width, np.inf), np.full(width, -np.inf)
        self._kept = np.empty((RESERVOIR, width), np.float32)  # pages are only used once they are written
        self._rng = np.random.default_rng(0)

    def add(self, array: np.ndarray) -> None:
        """Take in more rows, if any. Chan, Golub and LeVeque 1979, for mean and squares."""
        if not array.size:
            return
        rows = array.reshape(-1, len(self._mean)).astype(np.float64)
        count = self._count + len(rows)
        mean = rows.mean(axis=0)
        apart = mean - self._mean
        self._squares += ((rows - mean) ** 2).sum(axis=0) + apart**2 * self._count * len(rows) / count
        self._mean += apart * len(rows) / count
        self._min, self._max = np.minimum(self._min, rows.min(axis=0)), np.maximum(self._max, rows.max(axis=0))
        self._keep(rows)
        self._count = count

    def _keep(self, rows: np.ndarray) -> None:
        """Vitter's algorithm R: every row so far is equally likely to be among those kept."""
        numbers = np.arange(self._count, self._count + len(rows))
        places = np.where(numbers < RESERVOIR, numbers, self._rng.integers(0, numbers + 1))
        kept = places < RESERVOIR
        self._kept[places[kept]] = rows[kept]

    def moments(self) -> Moments:
        kept = self._kept[: self._count]
        low, high = np.quantile(kept.astype(np.float64), [LOW, HIGH], axis=0)
        std = np.sqrt(self._squares / self._count)
        found = (self._mean, std, self._min, self._max, low, high)
        return Moments(*(value.reshape(self._shape) for value in found))
