"""What learners remember of attempts: transitions, of which any may be met again."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from tensordict import TensorDict
from torchrl.data import LazyTensorStorage, TensorDictReplayBuffer

from mmil.reinforcing.attempt import Attempt

logging.getLogger("torchrl").setLevel(logging.WARNING)  # it tells of every storage it makes

MOST = 1_000_000  # transitions


class Memory:
    """Own attempts and demonstrations; a share `shown` of what is remembered is of the latter (RLPD, Ball 2023)."""

    def __init__(self, *, shown: float) -> None:
        self.shown = shown
        self.own, self.demonstrated = (TensorDictReplayBuffer(storage=LazyTensorStorage(MOST)) for _ in range(2))

    def add(self, attempts: Sequence[Attempt]) -> None:
        _extend(self.own, attempts)

    def show(self, demonstrations: Sequence[Attempt]) -> None:
        _extend(self.demonstrated, demonstrations)

    def recall_shown(self, size: int) -> TensorDict:
        """(size,) transitions of demonstrations, which say what was wanted."""
        return _drawn(self.demonstrated, size)

    def recall(self, size: int) -> TensorDict:
        """(size,) transitions, drawn with torch's default generator."""
        shown = round(size * self.shown) if len(self.demonstrated) else 0
        if not len(self.own):
            shown = size
        parts = [(self.own, size - shown), (self.demonstrated, shown)]
        return torch.cat([_drawn(buffer, count).exclude("wanted") for buffer, count in parts if count])


def _extend(buffer: TensorDictReplayBuffer, attempts: Sequence[Attempt]) -> None:
    every = [one.transitions() for one in attempts if len(one)]
    if every:
        buffer.extend(torch.cat(every))


def _drawn(buffer: TensorDictReplayBuffer, count: int) -> TensorDict:
    found = buffer.sample(batch_size=count)
    return found.exclude("index")
