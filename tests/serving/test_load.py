"""mmil.load: a run as an actor for any scene and any loop, which refuses what it was not trained for in one line."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml

import mmil
from mmil.contracts import UserError
from mmil.evaluation.evaluate import evaluate, load_runner
from mmil.rollout import rollout
from mmil.run import RunFolder, load_policy
from tests.serving.conftest import ROOT
from tests.tiny import Desk, data_set, run


@pytest.fixture(scope="module")
def robot(trained):
    return mmil.load(trained)


def observation(**changes):
    given = Desk().reset(4).observation
    told = {"images": dict(given.images), "signals": dict(given.signals), "instruction": "lift the red cube"}
    return {**told, **changes}


def test_it_acts_in_a_loop_of_ones_own_as_in_a_scene(robot, trained):
    episode = rollout(Desk(), robot, seed=4, horizon=6, instruction="lift the red cube")
    robot.reset(4)
    for t, action in enumerate(episode.actions):
        images = {camera: frames[t] for camera, frames in episode.images.items()}
        signals = {name: values[t].tolist() for name, values in episode.signals.items()}
        told = {"images": images, "signals": {**signals, "battery": 0.5}, "instruction": episode.instruction}
        assert np.array_equal(np.clip(robot.act(told), -1, 1), action)
    assert robot.spec == RunFolder.open(trained).spec and robot.control_hz == 20.0
    assert robot.meaning == "dx, dy, touch, each in [-1, 1]"


def test_pictures_are_rendered_only_where_a_plan_is_made(robot):
    scene = Desk()
    rollout(scene, robot, seed=4, horizon=8, record=False)
    assert scene.renders == 2 * 2  # two cameras, two plans


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"images": {}}, "no images top, side; got none, expected top, side"),
        ({"images": {"top": 1, "left": 2}}, "no images side; got top, left, expected top, side"),
        ({"images": [1, 2]}, "images is list; expected a dict of top, side"),
        (
            {"images": {"top": np.zeros((40, 40, 3)), "side": 0}},
            "camera top is float64 (40, 40, 3); expected uint8 (40",
        ),
        ({"images": {"top": np.zeros((3, 40, 40), np.uint8), "side": 0}}, "camera top is uint8 (3, 40, 40); expected"),
        ({"images": {"top": [[1], [2, 3]], "side": 0}}, "camera top is no array"),
        ({"signals": {"wrench": np.zeros((4, 6))}}, "no signals eef_pos_world; got wrench"),
        ({"signals": {"eef_pos_world": [1, 2, np.nan], "wrench": 0}}, "signal eef_pos_world holds a NaN"),
        ({"signals": {"eef_pos_world": [1, 2, True, 4], "wrench": 0}}, "signal eef_pos_world is int64 (4,); expected"),
        (
            {"signals": {"eef_pos_world": ["a", "b", "c"], "wrench": 0}},
            "signal eef_pos_world is <U1 (3,); expected",
        ),
        ({"signals": {"eef_pos_world": [0, 0, 11], "wrench": 0}}, "signal eef_pos_world reaches 11, more than 10 [m]"),
        ({"instruction": "a " * 250}, "instruction has 500 characters; a sentence has 400 at most"),
        ({"instruction": "lift \ud800"}, r"instruction 'lift \ud800' is no text: surrogates not allowed at 5"),
        ({"instruction": None}, "instruction is NoneType; expected a sentence"),
        ({"image": {}}, "no part 'image' of an observation; there are images, signals, instruction, maps"),
    ],
)
def test_what_it_was_not_trained_for_is_refused_in_one_line(robot, changes, line):
    with pytest.raises(UserError) as error:
        robot.act(observation(**changes))
    assert line in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("seed", [2**64, 2**63, -1, "7", 0.5, None, True])
def test_a_seed_that_is_none_is_refused(robot, seed):
    with pytest.raises(UserError, match=r"seed is .*; expected an int of at least 0 and below"):
        robot.reset(seed)
    robot.reset(np.int64(7))


def test_what_is_no_action_is_not_handed_on(trained, monkeypatch):
    robot = mmil.load(trained)
    monkeypatch.setattr(robot.runner.policy, "sample", lambda batch: torch.full((1, 4, 3), torch.nan))
    with pytest.raises(UserError, match="a NaN or an infinity, which is no action"):
        robot.act(observation())
    monkeypatch.undo()
    robot.reset(0)
    assert np.isfinite(robot.act(observation())).all()


def test_neither_a_picture_nor_a_list_is_an_observation(robot):
    with pytest.raises(UserError, match="got ndarray; expected an Observation or a dict"):
        robot.act(np.zeros(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"execute": 9}, "cannot execute 9 actions of a chunk of 4"), ({"device": "abacus"}, "no device 'abacus' here")],
)
def test_options_that_cannot_be_are_refused(trained, options, message):
    with pytest.raises(UserError, match=message):
        mmil.load(trained, **options)
    with pytest.raises(UserError, match="is not a run"):
        mmil.load(str(trained / "evaluation"))


def test_importing_mmil_loads_next_to_nothing():
    code = "import sys, mmil; sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'robosuite')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_a_copied_run_is_evaluated_without_its_data(trained, tmp_path):
    there = tmp_path / "elsewhere"
    shutil.copytree(trained, there)
    (there / "README.md").open("a").write("\nLent to the robot in room 3.\n")
    summary = evaluate(there, suite="seen", trials=2, workers=1, patience=None, horizon=4)["seen"]
    assert summary["n"] == 2
    threads = torch.get_num_threads()
    assert load_runner(there, execute=2).execute == 2
    torch.set_num_threads(threads)
    card = (there / "README.md").read_text()
    assert "| seen | 2 | " in card and card.rstrip().endswith("Lent to the robot in room 3.")
    assert "Not evaluated yet" in (trained / "README.md").read_text()


@pytest.mark.parametrize("by_name", [True, False])
def test_weights_that_came_from_elsewhere_go_along(tmp_path, by_name):
    """Both pretrained models lie in folders of the machine that trains, and are gone from the one that acts."""
    from safetensors.torch import save_model

    from mmil.encoders.language import load_text_model
    from mmil.encoders.vision import load_backbone

    tokenizer, model = load_text_model(None)
    model.encoder.layer = model.encoder.layer[:1]
    model.config.num_hidden_layers = 1
    for part in (tokenizer, model):
        part.save_pretrained(tmp_path / "text")
    (tmp_path / "vision").mkdir()
    (tmp_path / "vision" / "config.json").write_text('{"architecture": "tf_efficientnet_lite0"}')
    weights = tmp_path / "vision" / "model.safetensors"
    save_model(load_backbone("tf_efficientnet_lite0", None), str(weights))
    named = {"name": str(weights.parent)} if by_name else {"weights": str(weights)}
    vision = {"stages": [1], **named, "width": 16}
    language = {"name": str(tmp_path / "text"), "layers": [1], "queries": 2, "width": 16}
    made = run(
        data_set(tmp_path / "data", episodes=2),
        tmp_path / "run",
        vision={"class_path": "mmil.encoders.TimmVision", "init_args": vision},
        language={"class_path": "mmil.encoders.TextTokens", "init_args": language},
    )
    before = mmil.load(made).act(observation())
    for part in ("vision", "text"):
        shutil.rmtree(tmp_path / part)
    assert np.array_equal(mmil.load(made.rename(tmp_path / "moved")).act(observation()), before)
    licences = (tmp_path / "moved" / "README.md").read_text().partition("## Licences")[2]
    assert "vision" in licences and "as those who published it say" in licences and "Apache" not in licences
    assert yaml.safe_load((tmp_path / "moved" / "config.yaml").read_text())["algo"]  # as it was asked for
    assert load_policy(tmp_path / "moved").language.model.config.num_hidden_layers == 1
