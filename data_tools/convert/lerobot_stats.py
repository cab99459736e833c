"""Statistics as lerobot's datasets/compute_stats.py lays them out: of an episode, and over episodes.

Numbers: over all axes but the last. Pictures: (3, 1, 1) a channel, of values in [0, 1]. Quantiles are exact in an
episode; over episodes lerobot keeps the least of the lower ones and the most of the upper ones, and so does this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
NAMES = tuple(f"q{round(100 * q):02d}" for q in QUANTILES)
Stats = dict[str, np.ndarray]


def number_stats(array: np.ndarray) -> Stats:
    """Of (N, …, D); of (N,) as of (N, 1)."""
    rows = array.reshape(-1, array.shape[-1] if array.ndim > 1 else 1).astype(np.float64)
    found = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    quantiles = dict(zip(NAMES, np.quantile(rows, QUANTILES, axis=0), strict=True))
    return {**found, "count": np.array([len(array)]), **quantiles}


def picture_stats(frames: np.ndarray) -> Stats:
    """Of uint8 (N, h, w, 3); exact, from a count of each of the 256 values."""
    values = np.arange(256) / 255
    found: dict[str, list[float]] = {name: [] for name in ("min", "max", "mean", "std", *NAMES)}
    for channel in range(3):
        counts = np.bincount(frames[..., channel].reshape(-1), minlength=256)
        total, there = counts.sum(), np.flatnonzero(counts)
        mean = float(values @ counts / total)
        found["mean"].append(mean)
        found["std"].append(float(np.sqrt((values - mean) ** 2 @ counts / total)))
        found["min"].append(values[there[0]])
        found["max"].append(values[there[-1]])
        ranks = np.searchsorted(np.cumsum(counts), np.array(QUANTILES) * total)
        for name, rank in zip(NAMES, ranks, strict=True):
            found[name].append(values[min(rank, 255)])
    shaped = {name: np.array(value).reshape(3, 1, 1) for name, value in found.items()}
    return {**shaped, "count": np.array([len(frames)])}


class Totals:
    """Over all episodes so far, in memory that does not grow with them (Chan, Golub and LeVeque 1979)."""

    def __init__(self) -> None:
        self._features: dict[str, Stats] = {}

    def add(self, episode: Mapping[str, Stats]) -> None:
        for name, stats in episode.items():
            self._features[name] = merged(self._features[name], stats) if name in self._features else stats

    def to_json(self) -> dict[str, Any]:
        return {name: {key: value.tolist() for key, value in one.items()} for name, one in self._features.items()}


def merged(one: Stats, other: Stats) -> Stats:
    count = one["count"] + other["count"]
    share = other["count"][0] / count[0]
    apart = other["mean"] - one["mean"]
    variance = (1 - share) * one["std"] ** 2 + share * other["std"] ** 2 + share * (1 - share) * apart**2
    lower = {name: np.minimum(one[name], other[name]) for name in ("min", "q01", "q10", "q50")}
    upper = {name: np.maximum(one[name], other[name]) for name in ("max", "q90", "q99")}
    mean = one["mean"] + share * apart
    found = {**lower, **upper, "mean": mean, "std": np.sqrt(variance), "count": count}
    return {name: found[name] for name in one}
