"""How much of a plan is done before the next: E of its H actions, or one that all plans of late have a say in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mmil.contracts import UserError

FUTURE = 8  # H, unless a policy is made with another
EXECUTE = 4  # actions, or all where a chunk has fewer, unless something else is asked for


def executed(execute: int | None, ensemble: float | None, *, future: int) -> int:
    """How many of `future` actions are done before the next plan; refused where the two contradict each other."""
    if ensemble is None:
        return min(EXECUTE, future) if execute is None else execute
    if execute not in (None, 1):
        raise UserError(
            f"execute {execute} and ensemble {ensemble} contradict each other: to ensemble is to plan at every step; "
            "give one of the two"
        )
    if not math.isfinite(ensemble):
        raise UserError(f"ensemble is {ensemble}; it is a finite number, as 0.01")
    return 1


def weighted(plans: Sequence[np.ndarray], *, decay: float) -> np.ndarray:
    """(A,), the mean of what plans (H, A) made at each of the last steps, oldest first, say of the newest step."""
    said = np.stack([plan[len(plans) - 1 - number] for number, plan in enumerate(plans)])
    weights = np.exp(-decay * (np.arange(len(plans)) - (len(plans) - 1 if decay < 0 else 0)))  # at most 1
    return weights @ said / weights.sum()
