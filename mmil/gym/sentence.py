"""Instructions as a space that arrives in other processes.

Gymnasium 1.4 reads a Text of AsyncVectorEnv's shared memory once, before anything was said (Gymnasium#1164): every
instruction would be blank. A Sentence is read whenever it is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gymnasium.spaces import Text
from gymnasium.vector.utils import read_from_shared_memory

from mmil.limits import LONGEST

ALPHABET = frozenset(map(chr, [*range(0x20, 0x7F), *range(0xA0, 0x180), *range(0x2010, 0x2040)]))
_read = read_from_shared_memory.dispatch(Text)


class Sentence(Text):
    """Anything that a person would say in one line of a European language; also nothing."""

    def __init__(self) -> None:
        super().__init__(LONGEST, min_length=0, charset=ALPHABET)


class _Heard(Sequence[str]):
    """The sentences that stand in shared memory now; a copy keeps them as they are."""

    def __init__(self, space: Sentence, memory: Any, count: int) -> None:
        self._space, self._memory, self._count = space, memory, count

    def __getitem__(self, index: Any) -> Any:
        return self._now()[index]

    def __len__(self) -> int:
        return self._count

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return self._now()

    def _now(self) -> tuple[str, ...]:
        return tuple(_read(self._space, self._memory, n=self._count))


@read_from_shared_memory.register(Sentence)
def _read_sentence(space: Sentence, shared_memory: Any, n: int = 1) -> _Heard:
    return _Heard(space, shared_memory, n)
