"""What one episode of a data set came to: the attempts at it, and the sample of the one that is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from data_tools.folder import PARTS
from mmil.contracts import Outcome, UserError
from mmil.data.sample import complete, encode_json, split_members
from mmil.seeds import episode_seed

NOBODY_ASKED = "none"  # the verb of an attempt that ended before it was told anything
QUARANTINED: Literal["quarantined"] = "quarantined"  # its numbers or its pictures are faulty
INFEASIBLE: Literal["infeasible"] = "infeasible"  # the scene found no layout
QUALITIES = "qualities"  # in the manifest: how attempts ended by their quality, where there are several
Ending = Outcome | Literal["quarantined", "infeasible"]


@dataclass(frozen=True)
class Attempt:
    """How one attempt ended, and why, where nobody can see it from the episode."""

    verb: str
    ending: Ending
    reason: str = ""
    quality: str = ""  # of the demonstration, where there was one

    def to_json(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Part:
    """An episode on its way into a shard. Kept as a line of JSON and the sample, so that both are there or neither."""

    index: int
    attempts: tuple[Attempt, ...]  # the last one is kept
    sample: bytes  # its members, as they will lie in the shard

    @property
    def name(self) -> str:
        return part_name(self.index)

    def encode(self) -> bytes:
        return encode_json([attempt.to_json() for attempt in self.attempts]) + b"\n" + self.sample

    @classmethod
    def decode(cls, index: int, data: bytes) -> Part:
        line, _, sample = data.partition(b"\n")
        return cls(index, read_attempts(json.loads(line)), sample)

    def described(self) -> tuple[str, dict[str, Any]]:
        """Key and description of its sample."""
        key, members = split_members(self.sample)
        return key, json.loads(members["json"])

    def is_whole(self, seed: int) -> bool:
        """Whether its sample has all its members, and is of the data set made with `seed`."""
        try:
            _, members = split_members(self.sample)
            about = json.loads(members["json"]) if complete(members) else {}
        except (UserError, ValueError):
            return False
        return about.get("seed") == episode_seed(seed, self.index, len(self.attempts) - 1)


def part_name(index: int) -> str:
    return f"{PARTS}/{index:06d}.part"


def read_attempts(rows: Sequence[dict[str, Any]]) -> tuple[Attempt, ...]:
    return tuple(Attempt(**row) for row in rows)
