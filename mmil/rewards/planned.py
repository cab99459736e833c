"""Who does in every layout of the toy what a learnt weighting of the plane's features says is worth the most."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmil.contracts import Actor, Observation, State, UserError
from mmil.data.shards import write_atomic
from mmil.rewards.maxent import best_policy
from mmil.rewards.plane import FEATURES, Plane, problem_of


class Planned(Actor):
    """Plans at the beginning of an episode and follows the plan; it never sees the scene's own reward.

    weights: the file that keep_weights() wrote. horizon: steps that are planned for.
    """

    def __init__(self, *, weights: Path, horizon: int = 30) -> None:
        self._weights, self._horizon, self._plane = read_weights(weights), horizon, Plane()

    def reset(self, seed: int) -> None:
        self._plan: np.ndarray | None = None
        self._t = 0

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        assert state is not None, "a plan is made of privileged state"
        if self._plan is None:
            problem = problem_of(self._plane, state, horizon=self._horizon)
            self._plan = best_policy(problem, problem.features @ self._weights).argmax(axis=2)
        finger = state.eef_position[:2]
        action = self._plan[min(self._t, len(self._plan) - 1), self._plane.cell(finger)]
        self._t += 1
        return self._plane.done(finger, int(action))


def keep_weights(path: Path, weights: np.ndarray) -> None:
    """Weights (F,) of the plane's features, by their names."""
    named = dict(zip(FEATURES, weights.round(6).tolist(), strict=True))
    write_atomic(path, json.dumps(named, indent=1).encode() + b"\n")


def read_weights(path: Path) -> np.ndarray:
    """What keep_weights() wrote."""
    try:
        named = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} holds no weights that can be read: {str(error)[:200]}") from None
    if not isinstance(named, Mapping) or set(named) != set(FEATURES):
        raise UserError(f"{path} weighs {', '.join(map(str, named))}; the plane's features are {', '.join(FEATURES)}")
    found = np.array([named[name] for name in FEATURES], float)
    if not np.isfinite(found).all():
        raise UserError(f"{path} holds a weight that is a NaN or an infinity")
    return found
