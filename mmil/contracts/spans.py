"""Steps of an episode told as spans [first, last + 1), in order and apart: JSON, and short where they lie together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Spans = tuple[tuple[int, int], ...]


def spans_of(flags: Sequence[bool] | np.ndarray) -> Spans:
    """Where flags (T,) are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(flags, bool), [False]]).astype(np.int8)))
    return tuple((int(first), int(stop)) for first, stop in edges.reshape(-1, 2))


def flags_of(spans: Spans | None, steps: int) -> np.ndarray:
    """bool (steps,); None stands for all of them."""
    if spans is None:
        return np.ones(steps, bool)
    flags = np.zeros(steps, bool)
    for first, stop in spans:
        flags[first:stop] = True
    return flags


def spans_told(told: Sequence[Sequence[int]] | None) -> Spans | None:
    """As JSON tells them."""
    return None if told is None else tuple((first, stop) for first, stop in told)


def fit(spans: Spans, steps: int) -> bool:
    """Whether they are spans of an episode of so many steps."""
    edges = [edge for span in spans for edge in span]
    return all(len(span) == 2 for span in spans) and edges == sorted(set(edges)) and (not edges or edges[-1] <= steps)
