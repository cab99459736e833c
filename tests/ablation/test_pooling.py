"""Several trainings on the same layouts: what is common to them is no larger sample."""

import numpy as np
import pytest

from mmil.ablation.pooling import difference, rate
from mmil.contracts import Goal, Trial
from mmil.evaluation.statistics import wilson
from tests.plane import THINGS

GOAL = Goal("lift", THINGS[0])


def trials(successes, *, goal=GOAL) -> list[Trial]:
    ends = ["success" if one else "missed" for one in successes]
    return [Trial("seen", goal, "lift it", 2 * i + 1, end, 9, None) for i, end in enumerate(ends)]


def width(told) -> float:
    return told["high"] - told["low"]


def test_the_same_trials_five_times_over_say_no_more_than_once():
    once = np.random.default_rng(0).random(60) < 0.7
    told, alone = rate([trials(once)] * 5), wilson(int(once.sum()), 60)
    assert told["rate"] == pytest.approx(alone.rate) and (told["n"], told["layouts"]) == (300, 60)
    assert width(told) == pytest.approx(alone.high - alone.low, rel=0.15)


def test_trainings_that_differ_widen_the_interval():
    rng = np.random.default_rng(0)
    alike = rate([trials(rng.random(200) < 0.5) for _ in range(5)])
    apart = rate([trials(rng.random(200) < share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)])
    assert width(apart) > 2 * width(alike) and max(apart["rates"]) - min(apart["rates"]) > 0.6


def test_what_never_failed_is_not_certain():
    told = rate([trials([True] * 30)] * 3)
    assert told["low"] < 0.95 and told["high"] == told["rate"] == 1.0
    same = difference([(trials([True] * 30), trials([True] * 30))] * 3)
    assert same["low"] < same["points"] == 0.0 < same["high"] and same["p"] is None


def test_a_difference_on_common_layouts_covers_the_true_one():
    rng, covered = np.random.default_rng(1), 0
    for _ in range(40):
        hard, spread = rng.normal(0, 1, 100), rng.normal(0, 0.3, (4, 2))
        pairs = [[trials(rng.normal(0, 1, 100) < 0.5 + one + hard) for one in both] for both in spread]
        told = difference(pairs)
        covered += told["low"] <= 0 <= told["high"]
    assert covered >= 34


def test_layouts_that_ask_for_another_goal_are_not_compared():
    other = trials([True] * 4, goal=Goal("lift", THINGS[1]))
    ours, theirs = trials([True] * 10), [*other, *trials([False] * 10)[4:]]
    told = difference([(ours, theirs)] * 2)
    assert (told["layouts"], told["n"], told["points"]) == (6, 12, 100.0)
    assert difference([(other, trials([True] * 4))] * 2)["n"] == 0


def test_the_same_trials_give_the_same_interval():
    some = [trials(np.random.default_rng(seed).random(50) < 0.6) for seed in range(3)]
    assert rate(some) == rate(some)
