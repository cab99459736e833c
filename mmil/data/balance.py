"""How often each window is read in an epoch, where the skills of a data set or its episodes shall count alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmil.contracts import UserError
from mmil.data.shards import Row


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Readings of the windows of `rows`: as many in all as there are windows, drawn for each time through the data.

    windows: of each episode. skills, episodes: 0 leaves the share of a verb (of an episode among those of its verb) in
    proportion to its windows, 1 makes all alike, in between it is a power of them.
    """

    rows: Sequence[Row]
    windows: Sequence[int]
    skills: float = 0.0
    episodes: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("balance", self.skills), ("balance_episodes", self.episodes)):
            if not 0 <= value <= 1:
                raise UserError(f"{name} is {value}; 0 leaves the windows as they are, 1 makes all alike")

    @property
    def even(self) -> bool:
        """Whether every window is read once."""
        return not (self.skills or self.episodes)

    @cached_property
    def shares(self) -> np.ndarray:
        """float64 (episodes,), which sum to 1: of all readings, those of each episode."""
        counts, verbs = np.asarray(self.windows, float), [row.goal.verb for row in self.rows]
        weights = np.where(counts > 0, counts ** (1 - self.episodes), 0.0)
        skill = np.unique(verbs, return_inverse=True)[1]
        totals = np.bincount(skill, weights=weights)
        weights *= np.where(totals > 0, totals, 1.0)[skill] ** -self.skills
        return weights / weights.sum()

    @property
    def skill_shares(self) -> dict[str, float]:
        """Verb → the share of all readings that are of it."""
        found = dict.fromkeys(sorted({row.goal.verb for row in self.rows}), 0.0)
        for row, share in zip(self.rows, self.shares.tolist(), strict=True):
            found[row.goal.verb] += share
        return found

    def readings(self, epoch: int, lap: int) -> np.ndarray:
        """int64 (windows,), one episode after another: systematic draws, so that every share is met to a reading."""
        windows, total = np.asarray(self.windows), sum(self.windows)
        if self.even:
            return np.ones(total, np.int64)
        draw = np.random.default_rng([self.seed, epoch, lap, 1])  # not the numbers that the order is drawn with
        episode = np.repeat(np.arange(len(windows)), windows)
        skill = np.unique([row.goal.verb for row in self.rows], return_inverse=True)[1]
        order = np.lexsort((draw.random(total), episode, skill[episode]))
        ends = np.cumsum((self.shares / np.maximum(windows, 1))[episode][order]) * total
        ends[-1] = total
        readings = np.empty(total, np.int64)
        readings[order] = np.diff(np.floor(ends + draw.random()), prepend=0.0)
        return readings

    def numbers(self, epoch: int, lap: int) -> np.ndarray:
        """int64 (windows,): the number of each reading's window, plus all windows' count for each earlier reading."""
        readings = self.readings(epoch, lap)
        numbers = np.repeat(np.arange(len(readings)), readings)
        first = np.repeat(np.cumsum(readings) - readings, readings)
        return numbers + len(readings) * (np.arange(len(numbers)) - first)
