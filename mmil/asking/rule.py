"""The one contract of rules: a number a state, from what the policy makes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mmil.novice import one_thread
from mmil.policy import Policy


@dataclass(frozen=True)
class Known:
    """Contexts of a policy in states that were visited before."""

    vectors: torch.Tensor  # float32 (N, C)
    labelled: torch.Tensor  # bool (N,), whether the expert has told what to do there
    failed: torch.Tensor  # bool (N,), whether the policy drove and the episode ended in anything but success
    driven: torch.Tensor  # bool (N,), whether a policy drove


BEYOND = 1e30  # a score that nothing has


class Rule(ABC):
    """Scores of contexts; it may keep what it has learnt of a round in a file.

    path: that file; none before anything was learnt.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def learn(self, policy: Policy, known: Known, path: Path) -> Path | None:  # noqa: B027  # most learn nothing
        """Learn from all that is known by now and keep it in `path`; None where there is nothing to keep."""

    @abstractmethod
    def scores(self, policy: Policy, vectors: torch.Tensor) -> torch.Tensor:
        """float32 (N,) of contexts (N, C): the more, the sooner a label is asked for."""


@torch.no_grad()
def scored(rule: Rule, policy: Policy, vectors: torch.Tensor, *, seed: int) -> np.ndarray:
    """float64 (N,): its scores, the same whoever computes them and whatever was drawn before."""
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return rule.scores(policy, vectors).double().cpu().numpy()


def threshold(scores: Sequence[float] | np.ndarray, share: float) -> tuple[float, float]:
    """A score, and the chance that one equal to it counts as above, so that this share of the scores does."""
    scores = np.asarray(scores, float)
    if share >= 1:
        return -BEYOND, 0.0
    above = float(np.quantile(scores, 1 - share, method="higher"))
    more, equal = float((scores > above).mean()), float((scores == above).mean())
    return above, float(np.clip((share - more) / equal, 0.0, 1.0)) if equal else 0.0
