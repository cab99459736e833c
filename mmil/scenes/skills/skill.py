"""What a verb means in a scene: which goals can be asked for, and when one is reached."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from mmil.contracts import Goal, State

HELD_STEPS = 3  # control steps a goal must stay reached


class Skill(ABC):
    """A verb with its goals; it keeps nothing, so that one object serves any number of scenes."""

    verb: str
    grasps: bool = False  # whether a hand that closes on nothing has missed

    @abstractmethod
    def goals(self, start: State) -> Sequence[Goal]:
        """Every goal of this verb that is feasible from the first state of an episode."""

    @abstractmethod
    def reached(self, goal: Goal, *, start: State, now: State) -> bool:
        """Whether `goal` is, in the state `now` of an episode that began in `start`."""
