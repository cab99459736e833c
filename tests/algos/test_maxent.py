"""Maximum entropy on the toy: cells that are as the scene is, weights that explain, plans that reach, a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmil.algos import MaxEnt
from mmil.algos.interaction import Course
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.experts import Straight
from mmil.rewards import Planned, fit_maxent
from mmil.rewards import plane as planes
from mmil.rewards.maxent import expected_features, soft_policy
from mmil.rewards.plane import FEATURES, MOVES, PRESS, Plane, problem_of, shown_of
from mmil.rewards.planned import keep_weights, read_weights
from mmil.rollout import rollout
from mmil.run import RunFolder
from mmil.scenes import Toy, toy
from tests.toy import demonstrated, mmil, training

WEIGHTS = np.array([30.0, -30.0, -8.0, -3.0])  # of FEATURES: to touch what is told, by the shortest way


@pytest.fixture(scope="module")
def plane() -> Plane:
    return Plane()


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory) -> Path:
    return demonstrated(tmp_path_factory.mktemp("toy") / "data")


def weights_in(folder: Path, weights: np.ndarray = WEIGHTS) -> Path:
    keep_weights(folder / "weights.json", weights)
    return folder / "weights.json"


def test_the_plane_is_as_large_as_the_toys():
    assert all(getattr(planes, name) == getattr(toy, name) for name in ("HALF", "RADIUS", "STRIDE"))


def test_what_an_action_does_in_the_cells_it_does_in_the_scene(plane):
    scene, rng = Toy(), np.random.default_rng(0)
    for seed in range(20):
        step = scene.reset(seed)
        step = scene.step(plane.done(step.state.eef_position[:2], MOVES.index((0, 0))))  # to the middle of a cell
        problem = problem_of(plane, step.state, horizon=9)
        for _ in range(9):
            finger, action = step.state.eef_position[:2], int(rng.integers(PRESS + 1))
            follows = problem.follows[plane.cell(finger), action]
            step = scene.step(plane.done(finger, action))
            ended = step.outcome is not None
            assert follows[plane.over if ended else plane.cell(step.state.eef_position[:2])] == 1.0
            if ended:
                break


def test_a_demonstration_met_one_touch_and_the_steps_there(plane, demonstrations):
    episode = Dataset.open(demonstrations).episode(0)
    problem, met = shown_of(plane, episode, horizon=30)
    assert met[FEATURES.index("touches what is told")] == 1
    assert met.sum() == len(episode.actions)
    assert problem.begins[plane.cell(episode.signals["eef_pos_world"][0, :2])] == 1


def test_of_a_soft_expert_on_the_plane_the_weights_are_recovered(plane):
    true, problems = np.array([6.0, -4.0, -1.0, -0.5]), []
    for seed in range(2):
        problems.append(problem_of(plane, Toy().reset(seed).state, horizon=12))
    shown = [expected_features(one, soft_policy(one, one.features @ true)) for one in problems]
    fitted = fit_maxent(problems, shown, decay=0.0, steps=80)[0]
    # every step collects something but where it is over: these features differ along every way
    assert fitted.weights == pytest.approx(true, abs=0.3)
    assert fitted.gap < 1e-2


def test_plans_reach_what_the_expert_reaches_and_as_fast(tmp_path):
    scene, lengths = Toy(), []
    for actor in (Planned(weights=weights_in(tmp_path)), Straight()):
        episodes = [rollout(scene, actor, seed=10**6 + seed, horizon=30, record=False) for seed in range(12)]
        assert all(one.success for one in episodes)
        lengths.append(np.mean([len(one.actions) for one in episodes]))
    assert lengths[0] <= lengths[1] + 1


def test_plans_follow_the_weights(tmp_path):
    """Who likes other things better touches those."""
    unlike = Planned(weights=weights_in(tmp_path, np.array([-30.0, 30.0, -8.0, -3.0])))
    outcomes = [rollout(Toy(), unlike, seed=seed, horizon=30, record=False).outcome for seed in range(5)]
    assert set(outcomes) == {"wrong_object"}


def test_inferred_planned_cloned_and_not_done_twice(demonstrations, tmp_path):
    out = tmp_path / "run"
    config, commands = training(tmp_path), []

    def run(command):
        commands.append(command[0])
        mmil(command)

    RunFolder.claim(out, config)
    maxent = MaxEnt(shown=2, steps=8, judged=3, taught=4)
    lines = maxent.learn(Course(demonstrations, out, config, {}, run))
    assert RunFolder(out).finished and lines[0].startswith("of 2 demonstrations")
    assert commands == ["generate", "generate", "generate", "train"]
    # neither the expert's actions nor its data are what is cloned
    assert Dataset.open(out / "taught/plans").rows and json.loads((out / "data.json").read_text())["episodes"] == 4
    judged = [{row.seed for row in Dataset.open(out / "judged" / who).rows} for who in ("expert", "plans")]
    assert judged[0] == judged[1]
    assert judged[0].isdisjoint({row.seed for row in Dataset.open(demonstrations).rows})
    before = (out / "weights.json").stat().st_mtime_ns
    assert maxent.learn(Course(demonstrations, out, config, {}, run)) == lines
    assert (out / "weights.json").stat().st_mtime_ns == before


def test_another_scene_and_damaged_weights_are_refused(plane, demonstrations, tmp_path):
    with pytest.raises(UserError, match="of scene plane"):
        shown_of(plane, replace(Dataset.open(demonstrations).episode(0), scene="plane"), horizon=30)
    with pytest.raises(UserError, match="shown is 0"):
        MaxEnt(shown=0)
    path = tmp_path / "weights.json"
    for text in ("{", '{"moves on": 1}', "[1, 2]", json.dumps(dict.fromkeys(FEATURES, float("nan")))):
        path.write_text(text)
        with pytest.raises(UserError, match=r"weights\.json"):
            read_weights(path)
    with pytest.raises(UserError, match="no weights"):
        read_weights(tmp_path / "none.json")
