"""Drift is none where the policy goes as its expert does, grows where it leaves, and each cause shows in its number."""

import numpy as np
import pytest

from mmil.diagnosis.causes import causes
from mmil.diagnosis.drift import drift
from mmil.diagnosis.walk import Pair, Walk

STEPS = np.arange(0, 60, 4)


def walk(seed: int, *, off=None, success=True, error: float = 0.0, labels=None) -> Walk:
    """Along a way of its layout's own; `off` [m] (N,) beside it, which the context shows ten times as large."""
    rng = np.random.default_rng(seed)
    way = np.linspace(0, 0.3, len(STEPS))
    off = np.zeros(len(STEPS)) if off is None else off
    places = np.stack([np.stack([way, off, 0 * way], axis=1)] * 2, axis=1)
    vectors = np.stack([way, 10 * off, *0.02 * rng.standard_normal((2, len(STEPS)))], axis=1)
    labels = np.stack([np.cos(8 * way), np.sin(8 * way)], axis=1) if labels is None else labels
    whole = (one.astype(np.float32) for one in (vectors, places, labels + error, labels))
    return Walk(success, STEPS, *whole)


def pairs(count: int = 12, heard=(0.4, 0.5), expert=walk, **policy) -> list[Pair]:
    return [Pair("lift", walk(seed, **policy), expert(seed + 100), *heard) for seed in range(count)]


def test_a_policy_that_goes_as_its_expert_does_has_not_drifted():
    told = drift(pairs())
    assert told["far"] == pytest.approx(told["far_expert"], rel=0.4) and told["aside"] < 1e-6
    assert told["error"] == 0 and told["left"] is None and told["successes"] == told["expert_successes"] == 12
    assert told["heard"] == pytest.approx(0.8) and told["split"] < 0.45
    assert causes(told, loss=1.0, held_out=1.1) == ["nothing to explain: it succeeds"]


def test_a_policy_that_leaves_is_seen_to_leave_where_it_does():
    off = np.where(STEPS >= 30, 0.004 * (STEPS - 30), 0)
    told = drift(pairs(off=off, success=False, error=0.3))
    assert told["far"] > 5 * told["far_expert"] and told["error"] == pytest.approx(0.3, abs=1e-5)
    assert 28 <= told["left"] <= 40 and told["left_walks"] == 12
    assert 0.06 < told["aside"] < 0.12  # [m], at the end
    curve = dict(told["curves"]["aside"]["policy"])
    assert curve[5.0] < 1e-6 and curve[55.0] > 0.08
    told["error_expert"] = 0.1
    (line,) = causes(told, loss=1.0, held_out=1.0)
    assert line.startswith("covariate shift") and "3.0 times as much" in line


def test_actions_that_the_state_does_not_tell_are_told_as_split():
    def either(seed: int) -> Walk:
        return walk(seed, labels=np.full((len(STEPS), 2), 1.0 if seed % 2 else -1.0))

    told = drift(pairs(expert=either, success=False))
    assert told["split"] > 0.9
    assert any(line.startswith("multimodal actions") for line in causes(told, loss=None, held_out=None))


def test_a_policy_that_does_not_listen_is_told_so_first():
    told = drift(pairs(heard=(0.02, 0.5), success=False))
    first, *_ = causes(told, loss=1.0, held_out=3.0)
    assert first.startswith("ignored language") and "0.04 times" in first
    assert any(line.startswith("too few demonstrations") for line in causes(told, loss=1.0, held_out=3.0))
    assert drift(pairs(heard=(None, None)))["heard"] is None


def test_where_no_number_stands_out_none_is_blamed():
    told = {**drift(pairs(success=False)), "split": 0.1}
    assert causes(told, loss=1.0, held_out=1.0)[0].startswith("none of the usual causes")
