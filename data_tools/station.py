"""What a worker does: try seed after seed until an attempt is worth keeping, and send it home as bytes.

It writes nothing: whatever machine it runs on, and however it ends, the data set is written in one place.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol

import numpy as np

from data_tools.guard import map_faults, picture_faults, signal_faults
from data_tools.part import INFEASIBLE, NOBODY_ASKED, QUARANTINED, Attempt, Part
from mmil.contracts import Actor, Body, Episode, Goal, Infeasible, NotFinite, Scene, Split, UserError
from mmil.data.sample import encode_episode
from mmil.rollout import rollout
from mmil.seeds import episode_seed, sentence_rng

Keep = Literal["success", "all"]
MORE = 8  # sentences an episode that refer to its scene, beside the one it was told
REFERENCES = "references"  # the option of a recipe, and where a data set's config tells of it


class Speaker(Protocol):
    """What generation needs of a Grammar."""

    def sample(
        self, goal: Goal, split: Split, rng: np.random.Generator, *, among: Sequence[Body] = (), references: float = 0.0
    ) -> str: ...

    def says(self, sentence: str, goal: Goal, split: Split) -> bool:
        """Of any scene; of a sentence that refers to what else is there, false."""


def load_grammar() -> Speaker:
    from mmil.language.grammar import Grammar

    return Grammar.load()


def referring(references: float) -> dict[str, float]:
    """What a data set's config says of its references: nothing where there are none, as before there could be any."""
    if not 0 <= references <= 1:
        raise UserError(f"{REFERENCES} is {references}; it is a share of the sentences, 0 to 1")
    return {REFERENCES: references} if references else {}


class FaultyPictures(Exception):
    """Pictures that were not rendered: the fault of this worker, or of the episode if others see the same."""


@dataclass(frozen=True)
class Order:
    """What every worker is told; calling it gives the worker what it works with."""

    scene: Callable[[], Scene]
    actor: Callable[[], Actor]
    expert: Callable[[], Actor] | None
    grammar: Callable[[], Speaker]
    seed: int
    horizon: int
    keep: Keep
    max_attempts: int
    references: float = 0.0

    def __call__(self) -> Station:
        return Station(self)


@dataclass(frozen=True)
class Delivery:
    """What a worker sends home. spec: of its scene, as JSON; seconds: what the episode took, failed attempts too."""

    part: Part
    spec: str
    seconds: float


class Station:
    """A worker's own scene, actors and grammar."""

    def __init__(self, order: Order) -> None:
        self.order, self.scene, self.actor, self.grammar = order, order.scene(), order.actor(), order.grammar()
        self.expert = order.expert() if order.expert else None
        if self.actor.spec is not None:
            self.scene.spec.require(self.actor.spec, mine="the scene", theirs="what its actor was made for")
        self._asked, self._referring = NOBODY_ASKED, ()

    @cached_property
    def spec(self) -> str:
        return json.dumps(self.scene.spec.to_json(), indent=1)

    def close(self) -> None:
        self.scene.close()

    def attempt(self, seed: int, *, doubt: bool) -> tuple[Attempt, Episode | None]:
        """How it ended, and the episode if there is nothing against keeping it.

        doubt: pictures that are at fault are blamed on this worker, and not on the episode.
        """
        self._asked = NOBODY_ASKED
        try:
            episode = self._play(seed)
        except Infeasible as error:
            return Attempt(self._asked, INFEASIBLE, str(error)), None
        except NotFinite as error:
            return Attempt(self._asked, QUARANTINED, str(error), quality=self.actor.quality), None
        faults, pictures = signal_faults(episode), [*picture_faults(episode), *map_faults(episode)]
        if pictures and doubt and not faults:
            raise FaultyPictures(f"scene seed {seed}: {pictures[0]}")
        if faults or pictures:
            return Attempt(self._asked, QUARANTINED, (faults + pictures)[0], quality=episode.quality), None
        return Attempt(self._asked, episode.outcome, quality=episode.quality), episode

    def _play(self, seed: int) -> Episode:
        rng = sentence_rng(seed)

        def instruction(goal: Goal, bodies: Sequence[Body]) -> str:
            self._asked = goal.verb
            said = self.grammar.sample(goal, "train", rng, among=bodies, references=self.order.references)
            self._referring = self._more(goal, rng, among=bodies, but=said)
            return said

        episode = rollout(
            self.scene,
            self.actor,
            expert=self.expert,
            seed=seed,
            horizon=self.order.horizon,
            instruction=instruction,
        )
        return replace(episode, references=self._referring)

    def _more(self, goal: Goal, rng: np.random.Generator, *, among: Sequence[Body], but: str) -> tuple[str, ...]:
        """Other sentences that say a thing by what else is there, where the order asks for such and something tells."""
        if not self.order.references:
            return ()
        said = {self.grammar.sample(goal, "train", rng, among=among, references=1.0) for _ in range(MORE)} - {but}
        return tuple(sorted(sentence for sentence in said if not self.grammar.says(sentence, goal, "train")))


def make_part(station: Station, index: int) -> Delivery:
    """Make the episode; FaultyPictures where a fresh worker should try."""
    return _make_part(station, index, doubt=True)


def make_part_at_last(station: Station, index: int) -> Delivery:
    """The same when other workers have failed at it: what is faulty now is put into quarantine."""
    return _make_part(station, index, doubt=False)


def _make_part(station: Station, index: int, *, doubt: bool) -> Delivery:
    order, begun = station.order, time.monotonic()
    attempts: list[Attempt] = []
    while len(attempts) < order.max_attempts:
        attempt, episode = station.attempt(episode_seed(order.seed, index, len(attempts)), doubt=doubt)
        attempts.append(attempt)
        if episode is not None and (episode.success or order.keep == "all"):
            part = Part(index, tuple(attempts), encode_episode(episode, attempts=len(attempts)))
            return Delivery(part, station.spec, time.monotonic() - begun)
    raise UserError(_in_vain(index, attempts, order.keep))


def _in_vain(index: int, attempts: list[Attempt], keep: Keep) -> str:
    seen = ", ".join(f"{ending} {count}" for ending, count in Counter(a.ending for a in attempts).most_common())
    reason = next((f": {attempt.reason}" for attempt in attempts if attempt.reason), "; is the expert able to?")
    what = "no success" if keep == "success" else "nothing to keep"
    return f"episode {index}: {what} in {len(attempts)} attempts ({seen}){reason}"
