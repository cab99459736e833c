"""States of sentences that a frozen text model has read, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict

import torch

MOST_BYTES = 1 << 30  # some 58,000 sentences of 12 word pieces, 2 layers of 384 numbers


class Kept:
    """Sentence → its states (P, D) as float16; where they exceed `most` bytes, those used longest ago are given up."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most, self.bytes = most, 0
        self._states: OrderedDict[str, torch.Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._states)

    @property
    def full(self) -> bool:
        """Whether one more of those it holds would cost another."""
        return self.bytes + self.bytes // max(len(self), 1) > self.most

    def get(self, sentence: str) -> torch.Tensor | None:
        if sentence not in self._states:
            return None
        self._states.move_to_end(sentence)
        return self._states[sentence]

    def put(self, sentence: str, states: torch.Tensor) -> None:
        self._drop(sentence)
        self._states[sentence] = states
        self.bytes += states.nbytes
        while self.bytes > self.most:
            self._drop(next(iter(self._states)))

    def _drop(self, sentence: str) -> None:
        gone = self._states.pop(sentence, None)
        self.bytes -= 0 if gone is None else gone.nbytes
