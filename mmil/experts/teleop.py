"""A person as an actor: sees what the scene shows on a screen, and answers with a handset, in real time."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmil.contracts import Actor, Observation, State

Clock = Callable[[], float]
Sleep = Callable[[float], None]
TOLERANCE = 0.25  # of a control step: later than that is late


class Interrupt(Exception):
    """The person wants something else than to go on with this attempt."""


class Redo(Interrupt):
    """The same layout again."""


class Skip(Interrupt):
    """Another layout."""


class Undo(Interrupt):
    """The last finished episode thrown away and done again."""


class Stop(Interrupt):
    """No more for today."""


@dataclass(frozen=True)
class Reading:
    """What a handset says at an instant."""

    action: np.ndarray  # float32 (A,) in [−1, 1], the last axis is the gripper's
    again: bool = False  # its button for a new attempt was pressed

    @property
    def still(self) -> bool:
        return not np.any(self.action[:-1])


class Handset(ABC):
    """What a person moves the robot with."""

    controls: str = ""  # one line that says how
    axes: int = 7

    @abstractmethod
    def start(self) -> None:
        """Forget what was pressed before; the hand is open."""

    @abstractmethod
    def read(self) -> Reading:
        """What is asked for now."""


class Screen(ABC):
    """Where the person sees the scene."""

    @abstractmethod
    def show(self, observation: Observation) -> None:
        """Show an instant; raises an Interrupt where the person asked for one."""

    @abstractmethod
    def close(self) -> None:
        """Take it away."""


class Pace:
    """Keeps to `hz` steps a second of real time and counts those that came late; None is as fast as it goes."""

    def __init__(self, hz: float | None, *, clock: Clock = time.monotonic, sleep: Sleep = time.sleep) -> None:
        self._period, self._clock, self._sleep = 0.0 if hz is None else 1.0 / hz, clock, sleep
        self.start()

    def start(self) -> None:
        self.steps = self.late = 0
        self._due = self._clock() + self._period

    def wait(self) -> None:
        """Return when the next step is due, at once where it is overdue; time that was lost is not made up for."""
        if not self._period:
            return
        now = self._clock()
        left = self._due - now
        late = left < -TOLERANCE * self._period
        self._due = (now if late else self._due) + self._period
        self.steps, self.late = self.steps + 1, self.late + late
        if left > 0:
            self._sleep(left)

    def __str__(self) -> str:
        return f"{self.late} of {self.steps} steps late"


class Person(Actor):
    """Begins when the handset is moved, so that nobody learns to wait while a sentence is read."""

    def __init__(self, handset: Handset, screen: Screen, *, hz: float | None) -> None:
        self.handset, self.screen, self.pace = handset, screen, Pace(hz)

    def reset(self, seed: int) -> None:
        self.handset.start()
        self._begun = False

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        reading = self._see_and_answer(observation)
        while not self._begun and reading.still:
            reading = self._see_and_answer(observation)
        if not self._begun:
            self._begun = True
            self.pace.start()
        return reading.action

    def _see_and_answer(self, observation: Observation) -> Reading:
        self.screen.show(observation)
        self.pace.wait()
        reading = self.handset.read()
        if reading.again:
            raise Redo
        return reading
