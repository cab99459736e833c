"""Where a policy leads, the expert's labels, and a policy that learns from both: by configs alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmil.config import rebuild
from mmil.contracts import Actor, Episode, UserError
from mmil.data.dataset import Dataset
from mmil.data.module import WindowData
from mmil.data.shards import file_sha256
from mmil.run import RunFolder
from tests.plane import Reach
from tests.tiny import SCENE, Desk, data_set, run

VISITED = {"episodes": 4, "seed": 1, "expert": Reach, "keep": "all"}


def actor_of(node) -> Callable[[], Actor]:
    def holder(*, actor: Callable[[], Actor]) -> None: ...

    return rebuild(holder, {"actor": node})["actor"]


def mixture(path: Path, beta: float = 0.3) -> Callable[[], Actor]:
    """As a recipe of `mmil generate` names it."""
    parts = {
        "expert": {"class_path": "tests.plane.Reach"},
        "novice": {"class_path": "mmil.novice.Novice", "init_args": {"run": str(path), "execute": 2}},
    }
    return actor_of({"class_path": "mmil.rollout.Mixture", "init_args": {**parts, "beta": beta, "hold": 4}})


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> tuple[Path, Path]:
    """A data set and the run that was trained on it."""
    folder = tmp_path_factory.mktemp("first")
    data = data_set(folder / "data")
    return data, run(data, folder / "run")


@pytest.fixture(scope="module")
def visited(first, tmp_path_factory) -> Path:
    """What its policy visits, by two processes."""
    out = tmp_path_factory.mktemp("visited") / "data"
    return data_set(out, **VISITED, actor=mixture(first[1]), workers=2)


def test_episodes_are_the_policys_and_their_labels_the_experts(first, visited):
    episodes = [Dataset.open(visited).episode(index) for index in range(4)]
    sha256 = file_sha256(first[1] / "model.safetensors")
    assert {episode.provenance["policy"] for episode in episodes} == {sha256}
    for episode in episodes:
        np.testing.assert_allclose(episode.labels, answers(episode), atol=1e-6)
    strayed = np.concatenate([(one.actions != one.labels).any(axis=1) for one in episodes])
    assert 0.2 < strayed.mean() < 0.95  # both drove


def answers(episode: Episode) -> np.ndarray:
    """(T, A), what Reach says in each state that the episode's actions lead to, from its seed on."""
    scene, expert, said = Desk(), Reach(), []
    scene.reset(episode.seed)
    step = scene.tell(episode.goal, episode.instruction)
    for t, action in enumerate(episode.actions):
        assert np.array_equal(scene.simulator_state(), episode.states[t])
        said.append(expert.act(step.observation, step.state))
        step = scene.step(action)
    return np.array(said)


def test_the_same_policy_and_seed_give_the_same_bytes_whoever_works(first, visited, tmp_path):
    again = data_set(tmp_path / "data", **VISITED, actor=mixture(first[1]), workers=1)
    assert Dataset.open(again).manifest["shards"] == Dataset.open(visited).manifest["shards"]


def test_a_policy_is_trained_on_both(first, visited, tmp_path):
    data, before = first
    out = run(data, tmp_path / "run", "--more", json.dumps([str(visited)]), "--start", str(before))
    told = RunFolder.open(out).data
    assert told["episodes"] == 10 and told["training_episodes"] == 10 and told["path"] == str(data)
    assert [(one["path"], one["episodes"]) for one in told["more"]] == [(str(visited), 4)]
    assert told["start"]["run"] == str(before)
    assert len(list(visited.parent.glob("data.features-*"))) == 1  # each keeps its features beside it


def test_a_policy_drives_in_no_other_scene_than_its_own(first, tmp_path):
    other = {**SCENE, "init_args": {"second": "left"}}
    with pytest.raises(UserError, match=r"cameras\.left"):
        data_set(tmp_path / "data", **VISITED, actor=mixture(first[1]), scene=other)


def test_what_a_policy_did_is_no_example(first, visited):
    windows = WindowData(path=first[0], more=[visited], target="actions")
    with pytest.raises(UserError, match="quality visited: learn from their labels"):
        windows.setup()


def test_what_is_held_out_is_so_in_all_that_is_learnt_from(first, visited, tmp_path):
    rows = [row.goal for row in Dataset.open(visited).rows]
    held = {"randomisation": {"held_out": [{"verb": rows[0].verb, "colour": rows[0].object.colour}]}}
    data = data_set(tmp_path / "data", scene={**SCENE, "init_args": held}, seed=3)
    with pytest.raises(UserError, match=rf"holds out what {visited} shows in \d+ goals"):
        run(data, tmp_path / "run", "--more", json.dumps([str(visited)]))
    said = []
    run(data, tmp_path / "run", "--start", str(first[1]), tell=said.append)
    assert any("did not hold out" in line for line in said)


def test_what_is_no_run_drives_nothing(tmp_path):
    with pytest.raises(UserError, match="is not a run"):
        mixture(tmp_path)()
