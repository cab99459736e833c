"""States of sentences that a frozen text model has read, in bounded memory and, beyond that, in a file."""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from typing import IO

import torch

MOST_BYTES = 1 << 30  # some 58,000 sentences of 12 word pieces, 2 layers of 384 numbers
MOST_AWAY = 1 << 33  # bytes of a file: to read a sentence of it takes 20 µs, and to ask the model again 3 ms


class Kept:
    """Sentence → its states (P, D) as float16.

    Where they exceed `most` bytes, those used longest ago go to a file that nobody else sees, up to `away` bytes, and
    are given up beyond. A copy, also in another process, begins with nothing: whatever is missing is read again.
    """

    def __init__(self, most: int = MOST_BYTES, *, away: int = 0) -> None:
        self.most, self.bytes = most, 0
        self._states: OrderedDict[str, torch.Tensor] = OrderedDict()
        self._away = _File(away)

    def __reduce__(self) -> tuple[object, ...]:
        return _empty, (self.most, self._away.most)

    def __len__(self) -> int:
        return len(self._states.keys() | self._away.places.keys())

    def __contains__(self, sentence: str) -> bool:
        return sentence in self._states or sentence in self._away.places

    @property
    def full(self) -> bool:
        """Whether one more of those it holds would cost another."""
        return self.bytes + self.bytes // max(len(self._states), 1) > self.most and self._away.full

    def get(self, sentence: str) -> torch.Tensor | None:
        if sentence not in self._states:
            return self._away.read(sentence)
        self._states.move_to_end(sentence)
        return self._states[sentence]

    def put(self, sentence: str, states: torch.Tensor) -> None:
        self._drop(sentence)
        self._states[sentence] = states
        self.bytes += states.nbytes
        while self.bytes > self.most:
            oldest = next(iter(self._states))
            self._away.write(oldest, self._states[oldest])
            self._drop(oldest)

    def _drop(self, sentence: str) -> None:
        gone = self._states.pop(sentence, None)
        self.bytes -= 0 if gone is None else gone.nbytes


class _File:
    """States of one dtype and width, one after another; where they lie stays in memory."""

    def __init__(self, most: int) -> None:
        self.most, self.places = most, dict[str, tuple[int, torch.Size]]()
        self._end, self._longest = 0, 0
        self._file: IO[bytes] | None = None

    @property
    def full(self) -> bool:
        return self._end + max(self._longest, 1) > self.most

    def write(self, sentence: str, states: torch.Tensor) -> None:
        """Keep them if there is room, in the file and on the disk."""
        if sentence in self.places or self._end + states.nbytes > self.most:
            return
        try:
            self._file = self._file or tempfile.TemporaryFile(prefix="mmil-sentences-")  # noqa: SIM115  # open as long as this
            self._file.seek(self._end)
            self._file.write(states.cpu().numpy().tobytes())
            self._file.flush()
        except OSError:  # no room after all: what is there stays
            self.most = self._end
            return
        self.places[sentence] = self._end, states.shape
        self._end, self._longest = self._end + states.nbytes, max(self._longest, states.nbytes)

    def read(self, sentence: str) -> torch.Tensor | None:
        if sentence not in self.places or self._file is None:
            return None
        place, shape = self.places[sentence]
        states = torch.empty(shape, dtype=torch.float16)
        os.preadv(self._file.fileno(), [states.numpy().data.cast("B")], place)
        return states


def _empty(most: int, away: int) -> Kept:
    return Kept(most, away=away)
