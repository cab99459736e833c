"""Which sentence a window is read with: the recorded one, another of the same goal, or one of another goal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from mmil.contracts import Goal, Thing

FEW = 36  # goals of a verb: as many as there are things of six shapes and colours


def number(*parts: object) -> int:
    """64 bits that depend on every part and on nothing else, the same on every machine and in every process."""
    text = ":".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def read_sentences(manifest: Mapping[str, Any], *, of: Collection[Goal] | None = None) -> dict[Goal, tuple[str, ...]]:
    """The training sentences of each goal, as the manifest lists them; or of some goals."""
    every = {Goal.from_json(row["goal"]): tuple(row["sentences"]) for row in manifest.get("sentences", [])}
    return {goal: sentences for goal, sentences in every.items() if of is None or goal in of}


def drawn(
    every: Mapping[Goal, Sequence[str]], most: int | None, *, keep: Collection[str], seed: int
) -> dict[Goal, tuple[str, ...]]:
    """So many of each goal's sentences, and those to `keep`: goals draw apart, and all ways to ask are still asked in.

    A verb with fewer goals than FEW is said in as many sentences as one with so many: there is one drawer to open, and
    all that is ever heard of how people ask for that is said of it.
    """
    if most is None:
        return {goal: tuple(sentences) for goal, sentences in every.items()}
    goals = Counter(goal.verb for goal in every)
    return {
        goal: _some(sentences, max(most, most * FEW // goals[goal.verb]), keep=keep, seed=seed)
        for goal, sentences in every.items()
    }


def _some(sentences: Sequence[str], most: int, *, keep: Collection[str], seed: int) -> tuple[str, ...]:
    first = sorted(sentences, key=lambda sentence: number(seed, "phrasing", sentence))[:most]
    chosen = {*first, *keep}
    return tuple(sentence for sentence in sentences if sentence in chosen)


OWN = 0.4  # of the readings of an episode whose scene has sentences of its own, how many are told one of those


@dataclass(frozen=True)
class Told:
    """A sentence, the goal it asks for, and whether that is the one the demonstration reaches."""

    sentence: str
    goal: Goal
    own: bool = True

    def place(self, things: Sequence[Thing]) -> int:
        """Of its object among these; −1 where nobody wrote down which things there were."""
        return _place(self.goal.object, things)

    def target_place(self, things: Sequence[Thing]) -> int:
        """Of its target among these; −1 also where it has none."""
        return _place(self.goal.target, things)


@dataclass(frozen=True, kw_only=True)
class Rephrase:
    """Gives a window one of its goal's sentences; a goal without sentences keeps the recorded one.

    A recorded sentence that is not among its goal's, and `references`, are true in their scene alone: its own windows
    are told them, no others.

    others: the share of windows that are told another goal of their scene, with another object or target, for lessons
    that ask where it is or whether it is what is done.
    """

    sentences: Mapping[Goal, tuple[str, ...]]
    others: float = 0.0
    seed: int = 0

    def __call__(
        self,
        goal: Goal,
        recorded: str,
        *,
        things: Sequence[Thing],
        key: str,
        t: int,
        epoch: int,
        again: int = 0,
        references: Sequence[str] = (),
    ) -> Told:
        """again: how often this window was read before, in this epoch's time through the data."""
        reading = (epoch, key, t, again) if again else (epoch, key, t)
        if self.others and number(self.seed, "other", *reading) < self.others * 2**64:
            feasible = self._feasible(things, instead_of=goal)
            if feasible:
                other = feasible[number(self.seed, "which", *reading) % len(feasible)]
                return Told(self._one_of(self.sentences[other], reading), other, own=False)
        choices = self.sentences.get(goal, ())
        bound = references if recorded in choices else (recorded, *references)
        if bound and (not choices or number(self.seed, "own", *reading) < OWN * 2**64):
            return Told(self._one_of(bound, reading), goal)
        return Told(self._one_of(choices, reading), goal)

    def _one_of(self, sentences: Sequence[str], reading: tuple[object, ...]) -> str:
        return sentences[number(self.seed, *reading) % len(sentences)]

    def _feasible(self, things: Sequence[Thing], *, instead_of: Goal) -> list[Goal]:
        """Goals of the data that these things allow and that differ in what is taken, or in what it is brought to."""
        return [
            goal
            for thing in things
            if thing in self._goals
            for goal in self._goals[thing]
            if (goal.target is None or goal.target in things)
            and (thing != instead_of.object or (goal.target and instead_of.target and goal.target != instead_of.target))
        ]

    @cached_property
    def _goals(self) -> dict[Thing, list[Goal]]:
        """Those of the data by their object, in an order of their own."""
        found: dict[Thing, list[Goal]] = {}
        for goal in sorted(self.sentences, key=str):
            found.setdefault(goal.object, []).append(goal)
        return found


def _place(thing: Thing | None, things: Sequence[Thing]) -> int:
    return things.index(thing) if thing in things else -1
