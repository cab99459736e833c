"""What several trainings of one variant say: their trials are on the same layouts, so they are no larger sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmil.contracts import Goal, Trial

DRAWS = 4000
# as if there had been these layouts too, so that what never failed is not certain
SOME = (0.0, 0.0, 1.0, 1.0)  # of a rate (Agresti & Coull, The American Statistician 52, 1998)
EACH_WAY = (-1.0, 1.0)  # of a difference (Bonett & Price, Journal of Educational and Behavioral Statistics 37, 2012)
Layout = tuple[int, Goal]  # a trial's seed, and what it asked for


def rate(trainings: Sequence[Sequence[Trial]]) -> dict[str, Any]:
    """Success on the layouts that all trainings were judged on, with an interval, and each training's."""
    found = _successes(trainings, _common(trainings))
    low, high = interval(found, beside=SOME)
    told = {"n": found.size, "layouts": found.shape[1], "successes": int(found.sum()), "rate": _mean(found)}
    return {**told, "low": low, "high": high, "rates": [_mean(row) for row in found]}


def difference(pairs: Sequence[tuple[Sequence[Trial], Sequence[Trial]]]) -> dict[str, Any]:
    """Points between two variants, a pair of trainings a seed; without a p, which would need independent trials."""
    sides = [[pair[side] for pair in pairs] for side in (0, 1)]
    common = _common([trials for side in sides for trials in side])
    found = _successes(sides[0], common) - _successes(sides[1], common)
    low, high = interval(found, beside=EACH_WAY)
    points = {"points": 100 * _mean(found), "low": 100 * low, "high": 100 * high}
    return {"n": found.size, "layouts": found.shape[1], **points, "p": None}


def interval(values: np.ndarray, *, beside: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of `values` (trainings, layouts), were both others of their kind.

    Trainings and layouts are each drawn with replacement (A. B. Owen, The pigeonhole bootstrap, Annals of Applied
    Statistics 1, 2007), from one fixed seed.
    """
    whole = np.hstack([values, np.tile(beside, (len(values), 1))])
    rng, (trainings, layouts) = np.random.default_rng(0), whole.shape
    drawn = rng.multinomial(trainings, np.full(trainings, 1 / trainings), DRAWS)  # (DRAWS, trainings)
    among = rng.multinomial(layouts, np.full(layouts, 1 / layouts), DRAWS)  # (DRAWS, layouts)
    means = ((drawn @ whole) * among).sum(axis=1) / whole.size
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _common(trainings: Sequence[Sequence[Trial]]) -> list[Layout]:
    every = [{(trial.seed, trial.goal) for trial in trials} for trials in trainings]
    return sorted(set.intersection(*every), key=lambda layout: layout[0])


def _successes(trainings: Sequence[Sequence[Trial]], layouts: Sequence[Layout]) -> np.ndarray:
    """(trainings, layouts), 1 where it succeeded."""
    every = [{(trial.seed, trial.goal): float(trial.success) for trial in trials} for trials in trainings]
    return np.array([[one[layout] for layout in layouts] for one in every]).reshape(len(every), len(layouts))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0
