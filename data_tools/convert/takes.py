"""The record that travels between two formats, and the two interfaces that conversion() joins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from mmil.contracts import DO, Episode, Goal, Outcome, Spec, Thing, UserError
from mmil.data.sample import Extras
from mmil.seeds import foreign_seed

Format = Literal["mmil", "robomimic", "lerobot"]
Pictures = Literal["video", "png", "jpeg"]
PixelFormat = Literal["yuv444p", "yuv420p"]
LONGEST = 100_000  # steps in an episode: nobody's demonstration is longer, and a hostile file may say anything
LARGEST = 4 << 30  # [bytes] of an episode's arrays, pictures decoded


class Unfit(Exception):
    """An episode that cannot be carried over; the message is the reason, and the others go on."""


@contextmanager
def decoding() -> Iterator[None]:
    """What goes wrong with an episode's bytes is a reason not to carry it over, whatever a decoder makes of it."""
    try:
        yield
    except Unfit:
        raise
    except Exception as error:
        raise Unfit(f"{type(error).__name__}: {error}") from error


class NothingLeft(Exception):
    """No episode of a source can be carried over; `reasons` are (episode, reason)."""

    def __init__(self, reasons: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in reasons[:3]) or "there is no episode")
        self.reasons = list(reasons)


@dataclass(frozen=True)
class Take:
    """An episode on its way from one format to another."""

    name: str  # where it was found: "lift.hdf5/demo_3"
    episode: Episode
    attempts: int = 1  # that generating it took
    jpegs: Mapping[str, Sequence[bytes]] = field(default_factory=dict)  # camera → T+1 frames as a shard held them
    extras: Extras = field(default_factory=Extras)


def foreign_episode(
    name: str,
    theirs: np.ndarray,
    *,
    scene: str,
    sentence: str,
    outcome: Outcome,
    actions: np.ndarray,
    **recorded: Any,
) -> Episode:
    """A demonstration that came with nothing but a sentence; `theirs` are its actions as they were found."""
    return Episode(
        scene=scene,
        seed=foreign_seed(name.encode(), theirs.tobytes()),
        goal=Goal(DO, Thing(sentence)),
        instruction=sentence,
        split="train",
        outcome=outcome,
        things=(),
        draws={},
        measures={},
        actions=actions,
        labels=actions,
        **recorded,
    )


@dataclass(frozen=True)
class Header:
    """What all episodes of a source share."""

    format: Format
    spec: Spec
    config: Mapping[str, Any] = field(default_factory=dict)  # of the data set that the episodes were generated for
    sentences: Mapping[Goal, Sequence[str]] = field(default_factory=dict)  # that it trains with, beside those spoken
    attempts: Mapping[str, Any] = field(default_factory=dict)  # see told_of_attempts


def told_of_attempts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says of how its episodes came about, as far as it does."""
    kinds = {"failed_attempts": int, "attempts": dict, "qualities": dict, "quarantined": int, "infeasible": dict}
    return {name: manifest[name] for name, kind in kinds.items() if isinstance(manifest.get(name), kind)}


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How an output is written. pictures: None for what the source had, or else video. crf: H.264's, 0 to 51.

    pix_fmt: yuv444p keeps the colour of every pixel, 4 dB for small coloured things at no cost in size; yuv420p is
    what every browser plays.
    """

    pictures: Pictures | None = None
    crf: int = 18
    pix_fmt: PixelFormat = "yuv444p"
    per_shard: int = 32

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= 51:
            raise UserError(f"crf is {self.crf}; H.264 takes 0 (nearly lossless) to 51")
        if self.per_shard < 1:
            raise UserError(f"episodes_per_shard is {self.per_shard}; it must be 1 or more")


class Source(ABC):
    """Episodes of a foreign data set, or of one of ours. Opening one reads what it says of itself, and no pictures."""

    header: Header
    names: Sequence[str]  # of the episodes, in order

    @abstractmethod
    def take(self, index: int) -> Take:
        """Episode `index`; Unfit where it cannot be carried over. Cheapest in order."""

    @abstractmethod
    def close(self) -> None:
        """Give back open files."""


class Sink(ABC):
    """A data set in the making; it stands nowhere yet where anybody would take it for finished."""

    @abstractmethod
    def add(self, take: Take) -> None:
        """Write an episode that is known to fit."""

    @abstractmethod
    def finish(self) -> None:
        """Write what comes last and close every file."""

    @abstractmethod
    def close(self) -> None:
        """Close every file, finished or not."""
