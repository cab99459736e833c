"""Demonstrations of different quality, each episode labelled with its own, for studies of what quality is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mmil.contracts import Actor, Observation, State, UserError
from mmil.experts.disturbed import Disturbed

QUALITIES = ("expert", "sloppy", "failing")
ASTRAY = (0.035, 0.060)  # [m], how far beside the thing a failing one aims


class Graded(Actor):
    """An expert that does its best, is sloppy, or aims beside the thing; drawn anew each episode.

    shares: quality → how often, e.g. {expert: 0.7, sloppy: 0.2, failing: 0.1}. `keep: all` keeps those that fail.
    """

    def __init__(self, actor: Actor, *, shares: Mapping[str, float]) -> None:
        unknown = sorted(set(shares) - set(QUALITIES))
        if unknown or not sum(shares.values()) > 0 or min(shares.values()) < 0:
            raise UserError(
                f"shares of quality {dict(shares)}; there are {', '.join(QUALITIES)}, with shares of 0 or more"
            )
        self.actor, self.shares = actor, dict(shares)
        self._sloppy = Disturbed(actor, sway=0.15, push=0.03, miss=0.02, longest=7)
        self._quality = "expert"

    @property
    def quality(self) -> str:
        return self._quality

    def reset(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 2])
        chances = np.array([self.shares.get(quality, 0.0) for quality in QUALITIES])
        self._quality = QUALITIES[rng.choice(len(QUALITIES), p=chances / chances.sum())]
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(*ASTRAY)
        self._astray = distance * np.array([np.cos(angle), np.sin(angle), 0.0])
        self._sloppy.reset(seed)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        if self._quality == "sloppy":
            return self._sloppy.act(observation, state)
        if self._quality == "failing" and state is not None:
            state = self._mistaken(state)
        return self.actor.act(observation, state)

    def _mistaken(self, state: State) -> State:
        """As one sees it who takes the thing to be elsewhere."""
        bodies = tuple(
            replace(body, position=body.position + self._astray, points=body.points + self._astray)
            if body.thing == state.goal.object
            else body
            for body in state.bodies
        )
        return replace(state, bodies=bodies)
