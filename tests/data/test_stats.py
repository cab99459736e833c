"""Streaming statistics agree with numpy on the whole."""

import dataclasses
import json

import numpy as np
import pytest

from mmil.contracts import UserError
from mmil.data import stats
from mmil.data.stats import Running, Stats, compute


def test_moments_of_a_stream_are_those_of_the_whole():
    rng = np.random.default_rng(1)
    whole = (rng.normal(size=(5000, 3)) * [1, 1e-3, 100] + [1e4, 0, -5]).astype(np.float32)
    running = Running((3,))
    for chunk in np.array_split(whole, 37):
        running.add(chunk)
    found, exact = running.moments(), whole.astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.std, exact.std(axis=0), rtol=1e-6)
    assert (found.min == exact.min(axis=0)).all() and (found.max == exact.max(axis=0)).all()
    np.testing.assert_allclose(found.low, np.quantile(exact, 0.01, axis=0))
    np.testing.assert_allclose(found.high, np.quantile(exact, 0.99, axis=0))


def test_quantiles_beyond_the_reservoir_are_close(monkeypatch):
    monkeypatch.setattr(stats, "RESERVOIR", 2000)
    running = Running((1,))
    for chunk in np.array_split(np.arange(50_000, dtype=np.float32)[:, None], 500):
        running.add(chunk)
    found = running.moments()
    assert abs(found.low[0] - 500) < 500 and abs(found.high[0] - 49_500) < 500
    assert found.max[0] == 49_999


def test_stats_of_a_data_set_and_their_json(counting):
    found = compute(counting)
    assert found.steps == sum(row.steps for row in counting.rows)
    wrench = np.concatenate([counting.episode(i).signals["wrench"].reshape(-1, 6) for i in range(len(counting))])
    np.testing.assert_allclose(found.signals["wrench"].std, wrench.std(axis=0, dtype=np.float64))
    assert found.signals["joint_pos"].mean.shape == (3,) and found.signals["gripper_pos"].mean.shape == ()
    assert found.labels.max[0] == -found.actions.min[0] > 0
    text = json.dumps(found.to_json())
    assert json.dumps(Stats.from_json(json.loads(text)).to_json()) == text


def test_some_episodes_only(counting):
    assert compute(counting, rows=counting.rows[:1]).signals["gripper_pos"].max == 5
    with pytest.raises(UserError, match="no episode"):
        compute(counting, rows=[])


def test_other_json_is_refused(counting):
    data = compute(counting).to_json()
    del data["actions"]["mean"]
    with pytest.raises(UserError, match="expected mean, std"):
        Stats.from_json(data)


def test_an_episode_without_steps_adds_nothing(counting):
    running = Running((2,))
    running.add(np.array([[1.0, 2.0]]))
    running.add(np.empty((0, 2), np.float32))
    assert running.moments().mean.tolist() == [1.0, 2.0] and running.moments().std.tolist() == [0.0, 0.0]
    with pytest.raises(UserError, match="no episode"):
        compute(counting, rows=[dataclasses.replace(counting.rows[0], steps=0)])
