"""The two that rollout() joins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmil.contracts.goal import Goal
from mmil.contracts.spec import Spec
from mmil.contracts.state import Observation, State, Step

VISITED = "visited"  # the quality of episodes in which a policy drove


class Scene(ABC):
    """A simulated task with its instructions and success."""

    spec: Spec

    @property
    @abstractmethod
    def goals(self) -> Sequence[Goal]:
        """Every goal that is feasible since the last reset; at least two."""

    @property
    @abstractmethod
    def draws(self) -> Mapping[str, Any]:
        """Every randomisation draw of the last reset, as JSON values."""

    @property
    def measures(self) -> Mapping[str, float]:
        """What can be measured of the attempt so far: `path_speed` [m/s] of the hand, `peak_force` [N] on it …"""
        return {}

    @property
    def verbs(self) -> Sequence[str]:
        """That layouts are drawn for, whether this one offers them or not; empty where there is nothing to choose."""
        return ()

    def offers(self, goal: Goal) -> bool:
        """Whether `goal` can be told since the last reset, in its manner if it has one."""
        return goal.done(None) in self.goals

    def reached(self, goal: Goal, now: State) -> bool | None:
        """Whether `goal` is reached in this state of the episode, whatever was told; None where nobody can say."""
        return None

    def fulfils(self, goal: Goal) -> bool | None:
        """Whether the attempt so far was done in the manner of `goal`; None where nobody measures."""
        return None

    @abstractmethod
    def reset(self, seed: int) -> Step:
        """Draw a new layout and goal from `seed` alone; what was done before leaves no trace."""

    @abstractmethod
    def tell(self, goal: Goal, instruction: str) -> Step:
        """Ask for `goal` in these words; valid before the first step of an episode."""

    @abstractmethod
    def step(self, action: np.ndarray) -> Step:
        """Run one control step with `action` float (A,) in [−1, 1]."""

    @abstractmethod
    def simulator_state(self) -> np.ndarray:
        """float64 (S,), enough to render the instant again."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the scene holds of the machine."""


class Actor(ABC):
    """Anything that drives a scene: an expert, a policy's runner, a person, a mixture of them.

    expert: who labels what it does, where nobody else is named; None: its own actions are the labels. spec: of the
    scenes that it was made for; None: any.
    """

    expert: Actor | None = None
    spec: Spec | None = None

    @property
    def quality(self) -> str:
        """Of this episode's demonstration: "expert", "sloppy", "failing", "multiplied" or VISITED."""
        return "expert"

    @property
    def provenance(self) -> Mapping[str, str]:
        """Of this episode, beside the scene's: what else it was made from, by name."""
        return {}

    @property
    def asks(self) -> bool:
        """Whether it wants the expert's label for the instant that it has just acted in."""
        return True

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Forget the last episode; any randomness of the new one comes from `seed`."""

    @abstractmethod
    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        """float32 (A,) in [−1, 1]. Only experts read `state`."""

    def interrupted(self) -> None:  # noqa: B027  # most plan nothing
        """Somebody else drove until now: what was planned before does not hold."""
