"""Counting successes: known values, closed forms, and an independent implementation."""

import json
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from mmil.contracts import Goal, Thing, Trial, UserError
from mmil.evaluation.statistics import Interval, by_object, confusions, mcnemar, paired, summarise, wilson


def trial(
    seed: int, outcome: str = "success", *, suite: str = "seen", colour: str = "red", taken: str | None = None
) -> Trial:
    goal = Goal(verb="lift", object=Thing(shape="cube", colour=colour))
    return Trial(suite, goal, f"lift the {colour} cube", seed, outcome, steps=30 + seed, taken=taken)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 30), (28, 30), (95, 100), (100, 100), (517, 1000)])
def test_wilson_agrees_with_scipy(successes, n):
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    ours = wilson(successes, n, z=stats.norm.ppf(0.975))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours.low <= ours.rate <= ours.high <= 1


def test_wilson_of_known_values():
    assert str(wilson(95, 100)) == "95.0 % [88.8, 97.8] (95/100)"
    assert wilson(0, 10).low == 0.0 and wilson(10, 10).high == 1.0
    assert wilson(10, 10).low == pytest.approx(10 / (10 + 1.96**2))  # closed form where all succeed


def test_without_trials_nothing_is_known():
    assert wilson(0, 0) == Interval(n=0, successes=0, rate=0.0, low=0.0, high=1.0)
    assert "no trials" in str(wilson(0, 0))
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (5, 0), (3, 3), (12, 2), (1, 9), (400, 300)])
def test_mcnemar_is_the_exact_binomial_test(first, second):
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


def test_paired_looks_at_common_seeds_of_the_same_suite_only():
    first = [trial(1), trial(3), trial(5, "missed"), trial(7), trial(9), trial(1, "missed", suite="camera")]
    second = [trial(1), trial(3, "dropped"), trial(5), trial(7, "timeout"), trial(11)]
    result = paired(first, second)
    assert (result.n, result.both, result.only_first, result.only_second, result.neither) == (4, 1, 2, 1, 0)
    assert result.p == 1.0
    assert paired(first, []).n == 0 and paired([], []).p == 1.0


def test_paired_leaves_out_seeds_that_ask_for_another_goal():
    first = [trial(1), trial(3), trial(5, "missed", colour="blue")]
    second = [trial(1, "missed"), trial(3, colour="blue"), trial(5)]
    result = paired(first, second)
    assert (result.n, result.only_first, result.other_goal) == (1, 1, 2)


def test_paired_refuses_a_seed_met_twice():
    with pytest.raises(UserError, match="seed 3 twice"):
        paired([trial(3), trial(3)], [trial(3)])


def test_paired_finds_what_intervals_hide():
    rng = np.random.default_rng(0)
    hard = rng.random(200) < 0.3  # the same layouts are hard for both; one run fails on 8 more
    first = [trial(i, "missed" if hard[i] else "success") for i in range(200)]
    second = [trial(i, "missed" if hard[i] or i in np.flatnonzero(~hard)[:8] else "success") for i in range(200)]
    assert wilson(sum(t.success for t in second), 200).high > wilson(sum(t.success for t in first), 200).low
    assert paired(first, second).p == pytest.approx(2 / 2**8)


def test_summary_goes_through_json_and_agrees_with_wilson():
    trials = [trial(i, "success" if i < 17 else "wrong_object" if i < 19 else "timeout") for i in range(20)]
    summary = json.loads(json.dumps(summarise(trials, seed=3, command="mmil evaluate RUN", scene={"name": "toy"})))
    expected, wrong = wilson(17, 20), wilson(2, 20)
    assert (summary["suite"], summary["n"], summary["successes"]) == ("seen", 20, 17)
    assert (summary["rate"], summary["low"], summary["high"]) == (expected.rate, expected.low, expected.high)
    assert Counter(summary["outcomes"]) == Counter(success=17, wrong_object=2, timeout=1)
    assert summary["wrong_object"] == {"n": 20, "count": 2, "rate": 0.1, "low": wrong.low, "high": wrong.high}
    assert summary["mean_steps"] == 39.5 and summary["seed"] == 3 and summary["scene"] == {"name": "toy"}


def test_summary_of_no_trials_is_valid_json():
    summary = json.loads(json.dumps(summarise([], suite="seen"), allow_nan=False))
    assert summary["n"] == 0 and summary["suite"] == "seen" and summary["mean_steps"] is None


def test_one_summary_holds_one_suite():
    with pytest.raises(ValueError, match="camera, seen"):
        summarise([trial(1), trial(1, suite="camera")])


def test_weak_spots_are_counted_by_object():
    trials = [trial(1), trial(2, "missed"), trial(3, "wrong_object", colour="blue", taken="red cube")]
    cells = by_object(trials)["lift"]
    assert cells[Thing("cube", "red")] == wilson(1, 2) and cells[Thing("cube", "blue")] == wilson(0, 1)
    assert confusions(trials) == [("blue cube", "red cube", 1)]
