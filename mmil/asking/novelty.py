"""Ask where nothing like it has been labelled: coverage of the visited states (core-sets, Sener 2018)."""

from __future__ import annotations

from pathlib import Path

import torch

from mmil.asking.kept import keep, kept
from mmil.asking.rule import Known, Rule
from mmil.contracts import require_number
from mmil.policy import Policy


class Novelty(Rule):
    """How far the context is from the nearest of `points` that were labelled, in standard deviations a number.

    The points are chosen greedily, each the farthest from those before it, so that they cover what is known.
    """

    def __init__(self, path: Path | None = None, *, points: int = 512) -> None:
        super().__init__(path)
        require_number(least=1, points=points)
        self.points = points

    def learn(self, policy: Policy, known: Known, path: Path) -> Path:
        vectors = known.vectors[known.labelled]
        deviation = vectors.std(dim=0)
        scale = deviation.clamp(min=max(0.1 * float(deviation.median()), 1e-6))  # what hardly changes counts little
        return keep(path, {"points": covering(vectors / scale, self.points), "scale": scale})

    def scores(self, policy: Policy, vectors: torch.Tensor) -> torch.Tensor:
        told = kept(self.path, "points", "scale")
        apart = torch.cdist(vectors / told["scale"], told["points"])
        return apart.min(dim=1).values / vectors.shape[1] ** 0.5


def covering(vectors: torch.Tensor, count: int) -> torch.Tensor:
    """(≤ count, C) of vectors (N, C): the first, and each the farthest from those before it (Gonzalez 1985)."""
    chosen = [0]
    away = (vectors - vectors[0]).norm(dim=1)
    while len(chosen) < min(count, len(vectors)) and away.max() > 0:
        chosen.append(int(away.argmax()))
        away = torch.minimum(away, (vectors - vectors[chosen[-1]]).norm(dim=1))
    return vectors[chosen]
