"""`mmil train --start RUN`: what fits is taken, what is new begins so that nothing changes, and all of it is told."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from mmil.algos.start import Start
from mmil.contracts import UserError
from mmil.encoders import FilmFusion, SignalTokens, TextTokens, TimmVision, WrenchTokens
from mmil.evaluation.evaluate import evaluate
from mmil.heads import Mixture, Regression
from mmil.policy import Policy
from mmil.run import RunFolder, load_policy
from mmil.runner import Runner
from mmil.serving.loaded import Loaded
from tests.tiny import SCENE, WIDTH, Desk, data_set, run

BATTERY = ["eef_pos_world", "battery"]


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    return run(data_set(folder / "data"), folder / "run")


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """Data of a camera by another name, with a signal more."""
    scene = {**SCENE, "init_args": {"second": "left", "battery": True}}
    return data_set(tmp_path_factory.mktemp("other") / "data", episodes=4, seed=9, scene=scene)


def small(scene: Desk, stats, **parts) -> Policy:
    """As tests.tiny.config has it."""
    given = {
        "vision": partial(TimmVision, stages=(2,), **WIDTH),
        "language": partial(TextTokens, queries=2, **WIDTH),
        "signals": partial(SignalTokens, names=BATTERY if "battery" in scene.spec.signals else BATTERY[:1], **WIDTH),
        "wrench": partial(WrenchTokens, **WIDTH),
        "fusion": partial(FilmFusion, points=2, width=24),
        "head": partial(Regression, width=16),
        **parts,
    }
    return Policy(scene.spec, stats, **{"future": 4, **given})


def stats_of(first: Path, *, battery: bool = True):
    """The data's own: the run's, moved, with one of the battery."""
    from tests.learning import unit_stats

    scene = Desk(battery=battery)
    return unit_stats(scene.spec)


def test_the_same_policy_is_taken_whole(first):
    scene = Desk()
    start = Start(first, scene.spec)
    policy = small(scene, start.stats(stats_of(first, battery=False)))
    taken = start.give(policy)
    assert not taken.new and not taken.left and not taken.partly
    there = load_policy(first).state_dict()
    assert all(torch.equal(value, there[name]) for name, value in policy.state_dict().items())


def test_a_signal_and_a_camera_more_change_nothing_at_first(first):
    scene = Desk(battery=True)
    start = Start(first, scene.spec)
    policy = small(scene, start.stats(stats_of(first)))
    taken = start.give(policy)
    assert taken.partly == ["signals.net.0.weight"] and taken.new == [
        "normalizer.signals.battery.mean",
        "normalizer.signals.battery.std",
    ]
    told = Desk(battery=True).reset(3).observation
    old, new = load_policy(first), Loaded(Runner(policy))
    assert np.allclose(Loaded(Runner(old)).act(told), new.act(told), atol=1e-6)


def test_a_camera_by_another_name_takes_the_weights_it_is_told_to(first):
    scene = Desk(second="left")
    plain, mapped = Start(first, scene.spec), Start(first, scene.spec, cameras={"left": "side"})
    policy = small(scene, stats_of(first, battery=False))
    taken = plain.give(policy)
    assert "vision.place.left" in taken.new and "vision.place.side" in taken.left
    assert taken.partly == ["fusion.mix.0.weight"]
    size = policy.fusion.columns["mix.0.weight"][0][1]
    assert not policy.fusion.mix[0].weight[:, size : 2 * size].any()  # what left sees is not read yet
    taken = mapped.give(policy)
    assert not taken.new and not taken.left
    assert torch.equal(policy.vision.place["left"], load_policy(first).vision.place["side"])
    # a camera more may take what one that stays has learnt
    both = Start(first, scene.spec, cameras={"left": "top"}).give(policy)
    assert "vision.place.side" in both.left and not both.new


def test_what_both_know_is_normalised_as_the_weights_expect_unless_asked(first):
    found, old = stats_of(first), RunFolder.open(first).stats
    kept, new = (Start(first, Desk(battery=True).spec, statistics=whose).stats(found) for whose in ("old", "new"))
    assert np.array_equal(kept.signals["eef_pos_world"].mean, old.signals["eef_pos_world"].mean)
    assert kept.signals["battery"] is found.signals["battery"] and kept.actions is found.actions
    assert new is found
    policy = small(Desk(battery=True), new)
    taken = Start(first, Desk(battery=True).spec, statistics="new").give(policy)
    assert "normalizer.signals.eef_pos_world.mean" in taken.new
    assert not policy.normalizer.signals["eef_pos_world"].mean.any()


def test_another_head_begins_anew_and_the_rest_is_taken(first):
    policy = small(Desk(), stats_of(first, battery=False), head=partial(Mixture, width=16))
    taken = Start(first, Desk().spec).give(policy)
    assert taken.new and all(name.startswith("head") for name in (*taken.new, *taken.left))
    lines = taken.lines()
    assert lines[0].split() == ["matched", "partly", "new", "left"] and len(lines) <= 12
    assert any(line.split()[:2] == ["head", "0"] for line in lines) and lines[-1].startswith("left: head.net.0.weight")


def test_a_tuned_part_is_taken_whole_or_not_at_all(first):
    """The run's frozen vision has its batch norms folded; one to be tuned has not."""
    policy = small(
        Desk(), stats_of(first, battery=False), vision=partial(TimmVision, stages=(2,), frozen=False, **WIDTH)
    )
    before = {name: value.clone() for name, value in policy.vision.backbone.state_dict().items()}
    taken = Start(first, Desk().spec).give(policy)
    assert all(torch.equal(value, before[name]) for name, value in policy.vision.backbone.state_dict().items())
    assert not any(name.startswith("vision.backbone") for name in taken.matched)
    assert any(name.startswith("vision.project") for name in taken.matched)


def test_a_run_begins_with_another_and_says_so(first, other, tmp_path):
    told: list[str] = []
    options = ["--start", str(first), "--start_cameras", "{left: side}", "--algo.init_args.learning_rate", "1e-6"]
    signals = {"class_path": "mmil.encoders.SignalTokens", "init_args": {"names": BATTERY, **WIDTH}}
    second = run(other, tmp_path / "second", *options, tell=told.append, signals=signals)
    lineage = RunFolder.open(second).data["start"]
    assert lineage["run"] == str(first) and lineage["partly"] == 1 and lineage["cameras"] == {"left": "side"}
    assert told[0] == f"begins with {first}:" and "new: normalizer.signals.battery.mean" in "\n".join(told)
    there, here = load_policy(first), load_policy(second)
    apart = (there.fusion.mix[4].weight - here.fusion.mix[4].weight).abs().max()
    assert 0 < apart < 1e-3
    assert (
        RunFolder.open(second).stats.signals["wrench"].to_json()
        == RunFolder.open(first).stats.signals["wrench"].to_json()
    )
    card = (second / "README.md").read_text()
    assert f"weights {lineage['weights_sha256'][:12]}" in card
    # a grandchild names both
    third = run(other, tmp_path / "third", "--start", str(second), signals=signals)
    assert RunFolder.open(third).data["start"]["start"]["run"] == str(first)


@pytest.mark.parametrize(
    ("options", "policy", "message"),
    [
        (["--start", "{tmp}"], {}, "is not a run"),
        (["--start", "{unfinished}"], {}, "is unfinished"),
        (["--start", "{first}", "--start_cameras", "{{right: side}}"], {}, "no camera 'right' in the data"),
        (["--start", "{first}", "--start_cameras", "{{left: back}}"], {}, "no camera 'back' in"),
        (["--start", "{first}", "--start_statistics", "mine"], {}, "start_statistics"),
    ],
)
def test_what_cannot_be_begun_with_is_told_and_leaves_nothing(first, other, tmp_path, options, policy, message):
    shutil.copytree(first, tmp_path / "unfinished")
    (tmp_path / "unfinished" / "model.safetensors").unlink()
    places = {"tmp": tmp_path, "first": first, "unfinished": tmp_path / "unfinished"}
    with pytest.raises(UserError) as error:
        run(other, tmp_path / "new", *[part.format(**places) for part in options], **policy)
    assert message in str(error.value) and "\n" not in str(error.value) and not (tmp_path / "new").exists()


def test_a_run_of_which_nothing_fits_is_refused(first):
    wide = {"width": 8}
    parts = {
        "vision": partial(TimmVision, stages=(1,), **wide),
        "language": partial(TextTokens, queries=2, layers=(3,), **wide),
        "signals": partial(SignalTokens, names=BATTERY[:1], **wide),
        "wrench": partial(WrenchTokens, **wide),
        "fusion": partial(FilmFusion, points=3, width=20),
        "head": partial(Regression, width=12),
    }
    scene = Desk()
    with pytest.raises(UserError, match=r"nothing of .* fits this config and these data: \S+ is \(.*\) there and \("):
        Start(first, scene.spec).give(small(scene, stats_of(first, battery=False), **parts))


def test_a_run_for_other_cameras_is_not_evaluated(first, tmp_path):
    there = tmp_path / "run"
    shutil.copytree(first, there)
    data = json.loads((there / "data.json").read_text())
    data["config"]["scene"]["init_args"] = {"second": "left"}
    (there / "data.json").write_text(json.dumps(data))
    with pytest.raises(
        UserError, match=r"disagree: cameras.left: \[40, 40, 3\] != \(absent\); cameras.side: \(absent\)"
    ):
        evaluate(there, suite="seen", trials=1, workers=1, patience=None, horizon=3)
    assert not (there / "evaluation").exists()
