"""Maximum causal entropy IRL on finite problems (Ziebart 2010): weights of features, from how often demonstrations meet
them; convex, so that there is one answer, which a known problem can be asked for.

Rewards that differ by what every way from beginning to end collects alike cannot be told apart by anything that is done
(Ng 1999): what is recovered is the policy, its value, and the weights up to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mmil.contracts import UserError, require_number


@dataclass(frozen=True)
class Problem:
    """S states, A actions, and as many steps as the horizon; what ends early stays in a state that collects nothing."""

    follows: np.ndarray  # float64 (S, A, S), chance of the next state
    begins: np.ndarray  # float64 (S,), chance of the first state
    features: np.ndarray  # float64 (S, A, F), of doing an action in a state
    horizon: int

    def __post_init__(self) -> None:
        states, actions = self.follows.shape[:2]
        shapes = {"follows": (states, actions, states), "begins": (states,)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or not np.allclose(array.sum(axis=-1), 1) or array.min() < 0:
                raise UserError(f"{name} {array.shape} must be chances {shape} that sum to 1")
        if self.features.ndim != 3 or self.features.shape[:2] != (states, actions):
            raise UserError(f"features {self.features.shape} must be ({states}, {actions}, F)")
        if not np.isfinite(self.features).all():
            raise UserError("features hold a NaN or an infinity")
        require_number(least=1, horizon=self.horizon)


@dataclass(frozen=True)
class Fitted:
    """Weights, and the policy that is as random as it can be while it meets the features as often as was shown."""

    weights: np.ndarray  # float64 (F,)
    policy: np.ndarray  # float64 (T, S, A)
    gap: float  # the largest difference of a feature's expected count from the one that was shown


def fit_maxent(
    problems: Sequence[Problem], shown: Sequence[np.ndarray], *, decay: float = 1e-6, steps: int = 100
) -> tuple[Fitted, ...]:
    """One weighting of the features for all problems, of each of which `shown` (F,) is what an episode met on average.

    decay: of the squared weights, which keeps finite what no demonstration ever did. steps: of L-BFGS.
    """
    if not problems or len(problems) != len(shown):
        raise UserError(f"{len(problems)} problems and {len(shown)} counts of features; there must be one for each")
    require_number(least=1, steps=steps)
    require_number(least=0, decay=decay)
    wanted = torch.as_tensor(np.mean([np.asarray(one, float) for one in shown], axis=0))
    if not torch.isfinite(wanted).all():
        raise UserError("the demonstrations' features hold a NaN or an infinity")
    weights = torch.zeros(len(wanted), dtype=torch.float64, requires_grad=True)
    learner = torch.optim.LBFGS([weights], max_iter=steps, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def lost() -> torch.Tensor:
        """The dual: what is expected of a soft optimal policy less what was shown."""
        learner.zero_grad()
        expected = torch.stack([_start(problem, weights) for problem in problems]).mean()
        cost = expected - weights @ wanted + decay * weights.square().sum()
        cost.backward()
        return cost

    learner.step(lost)
    found = weights.detach().numpy()
    policies = [soft_policy(problem, problem.features @ found) for problem in problems]
    met = np.mean([expected_features(*pair) for pair in zip(problems, policies, strict=True)], axis=0)
    gap = float(np.abs(met - wanted.numpy()).max())
    return tuple(Fitted(found, policy, gap) for policy in policies)


def soft_policy(problem: Problem, rewards: np.ndarray) -> np.ndarray:
    """(T, S, A): the soft optimal policy of rewards (S, A)."""
    _, policies = _backward(problem, torch.as_tensor(rewards))
    return torch.stack(policies).numpy()


def best_policy(problem: Problem, rewards: np.ndarray) -> np.ndarray:
    """(T, S, A): a policy that collects the most of rewards (S, A)."""
    value, policies = np.zeros(len(problem.begins)), []
    for _ in range(problem.horizon):
        worth = rewards + problem.follows @ value
        value = worth.max(axis=1)
        policies.append(np.eye(worth.shape[1])[worth.argmax(axis=1)])
    return np.stack(policies[::-1])


def visits(problem: Problem, policy: np.ndarray) -> np.ndarray:
    """(S, A): how often an episode of a policy (T, S, A) does what where, on average."""
    there, every = problem.begins, np.zeros(problem.follows.shape[:2])
    for acts in policy:
        done = there[:, None] * acts
        every += done
        there = np.einsum("sa,sat->t", done, problem.follows)
    return every


def value(problem: Problem, policy: np.ndarray, rewards: np.ndarray) -> float:
    """What an episode of a policy (T, S, A) collects of rewards (S, A), on average."""
    return float((visits(problem, policy) * rewards).sum())


def expected_features(problem: Problem, policy: np.ndarray) -> np.ndarray:
    """(F,): what an episode of a policy (T, S, A) meets, on average."""
    return np.einsum("sa,saf->f", visits(problem, policy), problem.features)


def _start(problem: Problem, weights: torch.Tensor) -> torch.Tensor:
    """The soft value of the beginning."""
    value, _ = _backward(problem, torch.as_tensor(problem.features) @ weights)
    return torch.as_tensor(problem.begins) @ value


def _backward(problem: Problem, rewards: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Soft values (S,) of the beginning, and policies (S, A) from the first step to the last."""
    follows = torch.as_tensor(problem.follows)
    value, policies = torch.zeros(len(problem.begins), dtype=torch.float64), []
    for _ in range(problem.horizon):
        worth = rewards + follows @ value
        value = torch.logsumexp(worth, dim=1)
        policies.append((worth - value[:, None]).exp())
    return value, policies[::-1]
