"""Ask where episodes that the policy drove have ended badly."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from mmil.asking.kept import keep, kept
from mmil.asking.rule import Known, Rule
from mmil.contracts import require_number
from mmil.policy import Policy

LEAST = 20  # contexts of failures and of successes, each, to tell them apart


class Failure(Rule):
    """A logistic regression from context to whether the episode failed, learnt from all that policies drove before.

    Of the first rounds, which know too few of either, all states are alike. decay: weight of the squared weights.
    """

    def __init__(self, path: Path | None = None, *, decay: float = 0.01, steps: int = 300) -> None:
        super().__init__(path)
        require_number(least=0, decay=decay)
        require_number(least=1, steps=steps)
        self.decay, self.steps = decay, steps

    def learn(self, policy: Policy, known: Known, path: Path) -> Path | None:
        vectors, failed = known.vectors[known.driven], known.failed[known.driven].float()
        if min(failed.sum(), (1 - failed).sum()) < LEAST:
            return None
        mean, scale = vectors.mean(dim=0), vectors.std(dim=0).clamp(min=1e-6)
        layer = nn.Linear(vectors.shape[1], 1)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        learner = torch.optim.Adam(layer.parameters(), lr=0.05)
        balance = (1 - failed).sum() / failed.sum()
        for _ in range(self.steps):
            learner.zero_grad()
            told = layer((vectors - mean) / scale)[:, 0]
            lost = F.binary_cross_entropy_with_logits(told, failed, pos_weight=balance)
            (lost + self.decay * layer.weight.square().sum()).backward()
            learner.step()
        weight, bias = layer.weight.detach()[0], layer.bias.detach()
        return keep(path, {"mean": mean, "scale": scale, "weight": weight, "bias": bias})

    def scores(self, policy: Policy, vectors: torch.Tensor) -> torch.Tensor:
        if self.path is None:
            return torch.zeros(len(vectors))
        told = kept(self.path, "mean", "scale", "weight", "bias")
        return ((vectors - told["mean"]) / told["scale"]) @ told["weight"] + told["bias"]
