"""An actor that is shown something else than what is there, so that it can be told what it goes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from mmil.contracts import Actor, Observation, Spec, State, UserError, camera_of, map_dtype, require_known
from mmil.shown import Shown

How = Literal["drop", "freeze", "shuffle", "swap"]
MEANING: Mapping[How, str] = {
    "drop": "grey pictures, the mean of training, no sentence",
    "freeze": "what it was when the trial began",
    "shuffle": "of any instant of another trial",
    "swap": "the sentence of another goal that is feasible there",
}
SENTENCE, EVERYTHING, WRENCH, POSES = "sentence", "everything", "wrench", "poses"
GREY = 128


class Change(NamedTuple):
    """What is done to which input."""

    input: str
    how: How


@dataclass(frozen=True)
class Tape:
    """Instants of a trial that nothing was done to, and a sentence for another goal of its scene."""

    seed: int
    instants: tuple[Observation, ...]
    instead: str


def inputs(spec: Spec) -> dict[str, tuple[str, ...]]:
    """What can be done without, alone or together: name → cameras, signals and SENTENCE; of POSES those of cameras."""
    poses = tuple(name for name in spec.signals if name.removeprefix("camera_") in spec.cameras)
    rest = tuple(name for name in spec.signals if name not in (*poses, WRENCH))
    groups = {
        **{name: (name,) for name in spec.cameras},
        "cameras": tuple(spec.cameras) if len(spec.cameras) > 1 else (),
        "signals": rest,
        WRENCH: (WRENCH,) if WRENCH in spec.signals else (),
        POSES: poses,
        SENTENCE: (SENTENCE,),
        EVERYTHING: (*spec.cameras, *spec.signals, SENTENCE),
        **{name: (name,) for name in spec.signals},
    }
    return {name: names for name, names in groups.items() if names}


def changes(spec: Spec) -> list[Change]:
    """Everything that attribution tries: each camera, the signals as one, the wrench, the sentence, in every way."""
    single = [name for name in inputs(spec) if name not in (*spec.signals, SENTENCE, EVERYTHING)]
    single += [WRENCH] if WRENCH in spec.signals else []
    tried = [Change(name, how) for name in single for how in ("drop", "freeze", "shuffle")]
    tried += [Change(SENTENCE, how) for how in ("drop", "shuffle", "swap")]
    return [*tried, Change(EVERYTHING, "shuffle")]


def require_possible(change: Change, spec: Spec) -> None:
    require_known("input", [change.input], inputs(spec), where="in the data of this run")
    if change.how == "swap" and change.input != SENTENCE:
        raise UserError(f"only the {SENTENCE} can be swapped; {change.input} can be: drop, freeze, shuffle")
    if change == (SENTENCE, "freeze"):
        raise UserError("the sentence is the same all through a trial; it can be: drop, shuffle, swap")


@dataclass(frozen=True)
class Props:
    """What altered observations are made of: means of training by signal, and what other trials saw."""

    spec: Spec
    means: Mapping[str, np.ndarray]
    tapes: Sequence[Tape] = ()

    def blank(self) -> Observation:
        """What tells nothing."""
        signals = {
            name: np.broadcast_to(self.means.get(name, np.zeros(1)), shape).astype(np.float32)
            for name, shape in self.spec.signals.items()
        }
        images = {name: np.full(shape, GREY, np.uint8) for name, shape in self.spec.cameras.items()}
        maps = {name: np.zeros(shape, map_dtype(name)) for name, shape in self.spec.maps.items()}
        return Observation(images, signals, "", maps)


class Altered(Actor):
    """`actor`, which sees something else in place of one input.

    instead: what a swapped sentence becomes. seed: of the trial whose own instants are not to come back in a shuffle.
    first: the instant a frozen input stays at; the first that is seen unless given.
    """

    def __init__(
        self,
        actor: Actor,
        change: Change,
        props: Props,
        *,
        seed: int,
        instead: str = "",
        first: Observation | None = None,
    ) -> None:
        self.actor, self.change, self._instead, self._given = actor, change, instead, first
        self._names = frozenset(inputs(props.spec)[change.input])
        self._others = [tape for tape in props.tapes if tape.seed != seed]
        if change.how == "shuffle" and not self._others:
            raise UserError("to shuffle an input takes instants of two trials or more")
        self._blank = props.blank() if change.how == "drop" else None
        self.heard = ""  # the sentence that was last shown

    def reset(self, seed: int) -> None:
        self._first = self._given
        self._rng = np.random.default_rng([seed, 1])
        self._sentence = self._draw().instruction if self.change.how == "shuffle" else ""
        self.actor.reset(seed)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        shown = self._shown(observation)
        self.heard = shown.instruction
        return self.actor.act(shown, state)

    def _draw(self) -> Observation:
        tape = self._others[int(self._rng.integers(len(self._others)))]
        return tape.instants[int(self._rng.integers(len(tape.instants)))]

    def _source(self, observation: Observation) -> Observation:
        """Where the altered input is taken from."""
        if self.change.how == "freeze":
            self._first = self._first or materialised(observation)
            return self._first
        if self.change.how == "shuffle":
            # pictures and numbers of any instant; one sentence all through, as a person would say it
            return replace(self._draw(), instruction=self._sentence)
        return self._blank or replace(observation, instruction=self._instead)

    def _shown(self, observation: Observation) -> Observation:
        source, names = self._source(observation), self._names

        def render(camera: str) -> np.ndarray:
            return (source if camera in names else observation).images[camera]

        def measure(name: str) -> np.ndarray:
            return (source if camera_of(name) in names else observation).maps[name]

        return Observation(
            images=Shown(tuple(observation.images), render),
            signals={name: (source if name in names else observation).signals[name] for name in observation.signals},
            instruction=(source if SENTENCE in names else observation).instruction,
            maps=Shown(tuple(observation.maps), measure),
        )


def materialised(observation: Observation) -> Observation:
    """The same instant with its pictures and maps taken, so that it can be kept after the scene has moved on."""
    return replace(observation, images=dict(observation.images), maps=dict(observation.maps))
