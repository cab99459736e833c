"""On problems whose answer is known: the policy, its value, and the reward up to what no behaviour can tell."""

import numpy as np
import pytest

from mmil.contracts import UserError
from mmil.rewards import Problem, fit_maxent
from mmil.rewards.maxent import best_policy, expected_features, soft_policy, value, visits

SIDE = 5
GOAL, PIT = (4, 4), (2, 2)
TRUE = np.array([2.0, -1.5, -0.1])  # of the goal, the pit and a step
MOVES = ((0, 1), (0, -1), (1, 0), (-1, 0), (0, 0))


def grid(slip: float = 0.1, begin: int | None = None) -> Problem:
    """Cells of a square; a move goes elsewhere with a chance of `slip`; what is beyond the goal collects nothing."""
    states, end = SIDE * SIDE + 1, SIDE * SIDE
    follows = np.zeros((states, len(MOVES), states))
    features = np.zeros((states, len(MOVES), 3))
    for cell in range(end):
        row, column = divmod(cell, SIDE)
        for action in range(len(MOVES)):
            for other, (down, right) in enumerate(MOVES):
                chance = (1 - slip) * (other == action) + slip / len(MOVES)
                there = np.clip([row + down, column + right], 0, SIDE - 1)
                follows[cell, action, end if (row, column) == GOAL else there[0] * SIDE + there[1]] += chance
        features[cell] = [(row, column) == GOAL, (row, column) == PIT, 1.0]
    follows[end, :, end] = 1.0
    begins = np.full(states, 1 / end) if begin is None else np.eye(states)[begin]
    begins[end] = 0.0
    return Problem(follows, begins / begins.sum(), features, horizon=12)


def test_of_a_soft_expert_everything_that_can_be_known_is_recovered():
    problem = grid()
    rewards = problem.features @ TRUE
    expert = soft_policy(problem, rewards)
    (found,) = fit_maxent([problem], [expected_features(problem, expert)])
    assert found.gap < 1e-3
    assert np.abs(found.policy - expert).max() < 1e-2
    assert found.weights == pytest.approx(TRUE, abs=0.05)  # these features differ along every way
    assert value(problem, found.policy, rewards) == pytest.approx(value(problem, expert, rewards), rel=0.01)


def test_what_every_way_collects_alike_cannot_be_told():
    problem = grid()
    rewards = problem.features @ TRUE
    assert np.abs(soft_policy(problem, rewards) - soft_policy(problem, rewards + 0.7)).max() < 1e-12
    # as a feature: of the same demonstrations, any weight of what is met at every step alike explains as much
    constant = np.concatenate([problem.features, np.ones((*problem.features.shape[:2], 1))], axis=2)
    wider = Problem(problem.follows, problem.begins, constant, problem.horizon)
    expert = soft_policy(problem, rewards)
    (found,) = fit_maxent([wider], [expected_features(wider, expert)])
    assert np.abs(found.policy - expert).max() < 1e-2
    assert found.weights[:3] == pytest.approx(TRUE, abs=0.05)


def test_of_a_best_expert_the_value_comes_within_a_hundredth():
    problem = grid(slip=0.05)
    rewards = problem.features @ TRUE
    expert = best_policy(problem, rewards)
    (found,) = fit_maxent([problem], [expected_features(problem, expert)], decay=1e-5)
    greedy = best_policy(problem, problem.features @ found.weights)
    assert value(problem, greedy, rewards) == pytest.approx(value(problem, expert, rewards), rel=0.01)
    assert found.weights[0] > 0 > found.weights[1]


def test_fifty_episodes_are_enough():
    problem, rng = grid(), np.random.default_rng(0)
    rewards = problem.features @ TRUE
    expert, met = soft_policy(problem, rewards), []
    for _ in range(50):
        state, features = rng.choice(len(problem.begins), p=problem.begins), np.zeros(3)
        for acts in expert:
            action = rng.choice(len(MOVES), p=acts[state])
            features += problem.features[state, action]
            state = rng.choice(len(problem.begins), p=problem.follows[state, action])
        met.append(features)
    (found,) = fit_maxent([problem], [np.mean(met, axis=0)], decay=1e-4)
    best = value(problem, best_policy(problem, rewards), rewards)
    learnt = value(problem, best_policy(problem, problem.features @ found.weights), rewards)
    assert learnt == pytest.approx(best, rel=0.01)


def test_one_weighting_serves_problems_that_differ():
    problems = [grid(begin=0), grid(slip=0.3, begin=4), grid(begin=20)]
    experts = [soft_policy(problem, problem.features @ TRUE) for problem in problems]
    shown = [expected_features(*pair) for pair in zip(problems, experts, strict=True)]
    found = fit_maxent(problems, shown)
    assert len({one.weights.tobytes() for one in found}) == 1
    assert found[0].weights == pytest.approx(TRUE, abs=0.05)


def test_visits_are_of_every_step():
    problem = grid()
    policy = soft_policy(problem, problem.features @ TRUE)
    assert visits(problem, policy).sum() == pytest.approx(problem.horizon)
    assert policy.shape == (12, SIDE * SIDE + 1, 5) and np.allclose(policy.sum(axis=2), 1)


def test_what_is_no_problem_is_refused():
    problem = grid()
    with pytest.raises(UserError, match="follows"):
        Problem(problem.follows * 0.5, problem.begins, problem.features, 3)
    with pytest.raises(UserError, match="features"):
        Problem(problem.follows, problem.begins, problem.features[:3], 3)
    with pytest.raises(UserError, match="NaN"):
        Problem(problem.follows, problem.begins, problem.features * np.nan, 3)
    with pytest.raises(UserError, match="horizon is 0"):
        Problem(problem.follows, problem.begins, problem.features, 0)
    with pytest.raises(UserError, match="1 problems and 2 counts"):
        fit_maxent([problem], [np.zeros(3)] * 2)
    with pytest.raises(UserError, match="NaN"):
        fit_maxent([problem], [np.array([1.0, np.nan, 0])])
