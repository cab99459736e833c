"""Which sentence a window is read with: the recorded one, another of the same goal, or one of another goal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from mmil.contracts import Goal, Thing


def number(*parts: object) -> int:
    """64 bits that depend on every part and on nothing else, the same on every machine and in every process."""
    text = ":".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def read_sentences(manifest: Mapping[str, Any]) -> dict[Goal, tuple[str, ...]]:
    """The training sentences of each goal, as the manifest lists them."""
    return {Goal.from_json(row["goal"]): tuple(row["sentences"]) for row in manifest.get("sentences", [])}


OWN = 0.5  # of the readings of an episode whose sentence refers to its scene, how many are told that sentence


@dataclass(frozen=True)
class Told:
    """A sentence, the thing it asks for, and whether that is the one the demonstration takes."""

    sentence: str
    thing: Thing
    own: bool = True

    def place(self, things: Sequence[Thing]) -> int:
        """Of its thing among these; −1 where nobody wrote down which things there were."""
        return things.index(self.thing) if self.thing in things else -1


@dataclass(frozen=True, kw_only=True)
class Rephrase:
    """Gives a window one of its goal's sentences; a goal without sentences keeps the recorded one.

    A recorded sentence that is not among its goal's is true in its scene alone: its own windows are told it, no others.

    others: the share of windows that are told another thing of their scene, for lessons that ask where it is.
    """

    sentences: Mapping[Goal, tuple[str, ...]]
    others: float = 0.0
    seed: int = 0

    def __call__(self, goal: Goal, recorded: str, *, things: Sequence[Thing], key: str, t: int, epoch: int) -> Told:
        if self.others and number(self.seed, "other", epoch, key, t) < self.others * 2**64:
            feasible = [replace(goal, object=thing) for thing in things if thing != goal.object]
            feasible = [other for other in feasible if other in self.sentences]
            if feasible:
                other = feasible[number(self.seed, "which", epoch, key, t) % len(feasible)]
                return Told(self._one_of(self.sentences[other], key, t, epoch), other.object, own=False)
        choices = self.sentences.get(goal, ())
        bound = recorded not in choices
        if bound and (not choices or number(self.seed, "own", epoch, key, t) < OWN * 2**64):
            return Told(recorded, goal.object)
        return Told(self._one_of(choices, key, t, epoch), goal.object)

    def _one_of(self, sentences: Sequence[str], key: str, t: int, epoch: int) -> str:
        return sentences[number(self.seed, epoch, key, t) % len(sentences)]
