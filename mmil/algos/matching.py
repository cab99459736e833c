"""Matching lessons: whether what is done in a window is what its sentence asks for, beside the imitation loss.

Imitation alone may go by the scene where a scene gives its goal away; another goal of the same scene, told over the
same pictures and actions, cannot be refused without reading. Such windows are made by WindowData's `others`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import Batch
from mmil.heads.head import LEAST
from mmil.ranks import shared


class Matching(nn.Module):
    """A judge of context (B, C) and actions (B, H, A): image-text matching (Li 2021) with actions in place of words."""

    def __init__(self, context: int, chunk: tuple[int, int], *, width: int = 128) -> None:
        super().__init__()
        self.acted, self.asked = nn.Linear(chunk[0] * chunk[1], width), nn.Linear(context, width)
        self.judge = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1))

    def loss(self, context: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Cross-entropy, in which true and false sentences count alike; 0 in a batch without false ones."""
        wanted = batch.valid[:, 0] > 0  # the first action is invalid only where another goal is told
        logits = self.judge(self.acted(batch.actions.flatten(1)) + self.asked(context)).squeeze(1).float()
        costs = F.binary_cross_entropy_with_logits(logits, wanted.float(), reduction="none")
        sides = torch.stack([wanted, ~wanted])  # (2, B)
        counts = shared(sides.sum(dim=1))
        return ((costs * sides).sum(dim=1) / counts.clamp(min=LEAST)).sum() / 2 * (counts > 0).all()
