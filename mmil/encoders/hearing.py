"""Sources of tokens that joined a policy after it had learnt: heard by nobody at first, then as loudly as is learnt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

QUIETEST = 1e-9  # of all that is asked, where nearly all of it is silent


class Hearing(nn.ParameterDict):
    """Loudness of the sources named in here, 0 where they joined; every other one, and all of a fresh policy, has 1.

    Which they are is told by the weights that are loaded. It may become negative, as Flamingo's gates may
    (Alayrac 2022): a gate that could not would be shut for good by its first step in half of all cases.
    """

    def loud(self, counts: Mapping[str, int], *, like: torch.Tensor) -> torch.Tensor | None:
        """(M,) of so many tokens a source, in this order; None where all are as loud."""
        if not len(self):
            return None
        parts = [self[name].expand(count) if name in self else like.new_ones(count) for name, count in counts.items()]
        return torch.cat([part.float() for part in parts])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in state_dict:
            key = name.removeprefix(prefix)
            if name.startswith(prefix) and key not in self:
                self[key] = nn.Parameter(torch.zeros_like(state_dict[name]))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def heard(weights: torch.Tensor, loud: torch.Tensor) -> torch.Tensor:
    """Weights (…, M) of attention, each as loud (M,) as its source, their sizes summing to one again."""
    each = weights * loud
    return each / each.abs().sum(dim=-1, keepdim=True).clamp(min=QUIETEST)
