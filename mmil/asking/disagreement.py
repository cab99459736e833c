"""Ask where the members of an ensemble would do different things (EnsembleDAgger, Menda 2019)."""

from __future__ import annotations

import torch

from mmil.asking.rule import Rule
from mmil.contracts import UserError
from mmil.heads import Ensemble
from mmil.policy import Policy


class Disagreement(Rule):
    """The spread of the policy's heads, which have to be an Ensemble."""

    def scores(self, policy: Policy, vectors: torch.Tensor) -> torch.Tensor:
        if not isinstance(policy.head, Ensemble):
            raise UserError(
                f"heads can disagree where there are several: the policy's is a {type(policy.head).__name__}; "
                "lay configs/head/ensemble.yaml over the recipe"
            )
        return policy.head.spread(vectors)
