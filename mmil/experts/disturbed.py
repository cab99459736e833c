"""Demonstrations that show how to recover: what is done strays, labels stay the expert's (DART, Laskey 2017)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmil.contracts import Actor, Observation, State

CALM: Mapping[str | None, float] = {"slowly": 0.3, "gently": 0.1}  # of a disturbance: else it would undo the manner


class Disturbed(Actor):
    """An actor whose executed actions sway a little all the time and are pushed aside now and then.

    sway: standard deviation of a slowly changing offset on the motion axes. push: chance a step that a push begins,
    which overrides the motion for 2–`longest` steps; half of the pushes also let go of or close the hand. miss: chance
    a step that the hand closes where it is and rises for as long, as after a grasp that missed. What is to be done
    slowly or gently is disturbed as slowly and as gently.
    """

    def __init__(
        self, actor: Actor, *, sway: float = 0.1, push: float = 0.03, miss: float = 0.0, longest: int = 6
    ) -> None:
        self.actor, self.sway, self.push, self.miss, self.longest = actor, sway, push, miss, longest

    @property
    def quality(self) -> str:
        return self.actor.quality

    @property
    def provenance(self) -> Mapping[str, str]:
        return self.actor.provenance

    def reset(self, seed: int) -> None:
        self.actor.reset(seed)
        self._rng = np.random.default_rng([seed, 1])
        self._offset = self.sway * self._rng.standard_normal(6)
        self._pushed, self._left = np.zeros(7), 0

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        action = self.actor.act(observation, state).copy()
        rng, calm = self._rng, CALM.get(state.goal.manner, 1.0) if state is not None else 1.0
        self._offset = 0.8 * self._offset + 0.6 * self.sway * rng.standard_normal(6)
        if self._left == 0 and (chance := rng.random()) < self.push + self.miss:
            self._left = int(rng.integers(2, self.longest + 1))
            self._pushed = self._draw_push() if chance < self.push else self._draw_miss()
        if self._left:
            self._left -= 1
            hand = self._pushed[6] or action[6]
            return np.append(calm * self._pushed[:6], hand).astype(np.float32)
        action[:6] += calm * self._offset
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    def _draw_push(self) -> np.ndarray:
        push, turn = self._rng.uniform(-1, 1, 3), self._rng.uniform(-1, 1, 3) * [0.3, 0.3, 0.8]
        return np.array([*push, *turn, self._rng.choice([-1.0, 0.0, 0.0, 1.0])])

    def _draw_miss(self) -> np.ndarray:
        aside, rise = self._rng.uniform(-0.3, 0.3, 2), self._rng.uniform(0.3, 1)
        return np.array([*aside, rise, 0.0, 0.0, 0.0, 1.0])
