"""A policy that drives, and asks its expert what to do where a rule says that it should."""

from __future__ import annotations

import numpy as np

from mmil.asking.rule import Rule, scored
from mmil.contracts import Actor, Observation, State, UserError
from mmil.novice import Novice
from mmil.rollout import Visiting


class Asked(Visiting):
    """`novice` drives throughout; `expert` labels what it does from a plan whose score lies above `above` to the next.

    equal: the chance that a score of just `above` lies above it. most: labels an episode, at most, so that a budget
    holds whatever the scores; none: as many as it has steps.
    """

    def __init__(
        self,
        expert: Actor,
        novice: Novice,
        *,
        rule: Rule,
        above: float,
        equal: float = 0.0,
        most: int | None = None,
    ) -> None:
        if most is not None and most < 0:
            raise UserError(f"most is {most}; an episode has 0 labels or more")
        super().__init__(expert, novice)
        self.novice: Novice = novice
        self.rule, self.above, self.equal, self.most = rule, above, equal, most

    @property
    def asks(self) -> bool:
        return self._asking

    def reset(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._plans, self._wanted, self._asking, self._labels = 0, False, False, 0
        self.novice.reset(seed)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        action = self.novice.act(observation, state)
        runner = self.novice.runner
        if runner.plans != self._plans:
            self._plans = runner.plans
            score = float(scored(self.rule, runner.policy, runner.vector, seed=int(self._rng.integers(2**31)))[0])
            self._wanted = score > self.above or (score == self.above and self._rng.random() < self.equal)
        self._asking = self._wanted and (self.most is None or self._labels < self.most)
        self._labels += self._asking
        return action
