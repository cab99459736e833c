"""Which sentence a window is read with: the recorded one, or another of the same goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from mmil.contracts import Goal


def number(*parts: object) -> int:
    """64 bits that depend on every part and on nothing else, the same on every machine and in every process."""
    text = ":".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def read_sentences(manifest: Mapping[str, Any]) -> dict[Goal, tuple[str, ...]]:
    """The training sentences of each goal, as the manifest lists them."""
    return {Goal.from_json(row["goal"]): tuple(row["sentences"]) for row in manifest.get("sentences", [])}


@dataclass(frozen=True, kw_only=True)
class Rephrase:
    """Gives a window one of its goal's sentences; a goal without sentences keeps the recorded one."""

    sentences: Mapping[Goal, tuple[str, ...]]
    seed: int = 0

    def __call__(self, goal: Goal, recorded: str, *, key: str, t: int, epoch: int) -> str:
        choices = self.sentences.get(goal)
        return choices[number(self.seed, epoch, key, t) % len(choices)] if choices else recorded
