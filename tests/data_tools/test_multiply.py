"""A few demonstrations become more, each of which says whose child it is; what cannot be is refused first."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from data_tools.demonstrations import read_demonstrations
from data_tools.generate import generate
from data_tools.inspect import inspect
from data_tools.multiply import _restricted, multiply
from data_tools.studio import scene_node
from data_tools.verify import verify
from mmil.cli import main
from mmil.config import build_scene, parse, scene_of
from mmil.contracts import BODY_POSES, UserError
from mmil.data.dataset import Dataset
from mmil.data.shards import file_sha256
from mmil.experts import Skilled
from tests.plane import build, grammar

PLANE = {"class_path": "tests.plane.Plane", "init_args": {"windy": 0.0}}
SKILLS = [{"class_path": f"mmil.scenes.skills.{name}"} for name in ("Lift", "Touch", "Push")]
OPTIONS = {"skills": SKILLS, "things": 2, "image_size": [32, 32], "randomisation": {"profile": "basic"}}
NODE = {"class_path": "mmil.scenes.Tabletop", "init_args": OPTIONS}
CHANGES = {"things": 3, "randomisation.only": ["objects"]}
FAST = {"grammar": grammar, "workers": 1, "patience": None}


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    out = tmp_path_factory.mktemp("plane") / "set"
    build(out, episodes=2, config={"scene": PLANE})
    return out


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Two lifts and a touch; nobody shows how to push."""
    out = tmp_path_factory.mktemp("source") / "set"
    options = {"episodes": 3, "seed": 10, "horizon": 120, "config": {"scene": NODE}}
    generate(scene=partial(build_scene, NODE), actor=Skilled, out=out, **FAST, **options)
    assert {row.goal.verb for row in Dataset.open(out).rows} == {"lift", "touch"}
    return out


@pytest.fixture(scope="module")
def multiplied(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("multiplied") / "set"
    heard = []
    made = multiply(source, out=out, episodes=4, scene=CHANGES, tell=heard.append, **FAST)
    assert heard == ["3 demonstrations of lift (2), touch (1)"] and made.made == 4
    return made


def test_it_is_verified_replayed_and_inspected(multiplied):
    path = multiplied.store.path
    assert verify(path, scene=scene_of(path), replay=1.0, workers=1) == []
    assert "multiply" in inspect(path).read_text()


def test_every_episode_says_whose_child_it_is(source, multiplied):
    theirs, ours = Dataset.open(source), Dataset.open(multiplied.store)
    known = {row.key: row.goal.verb for row in theirs.rows}
    for index, row in enumerate(ours.rows):
        episode = ours.episode(index)
        assert episode.success and episode.quality == "multiplied" and np.array_equal(episode.labels, episode.actions)
        assert known[episode.provenance["demonstration"]] == row.goal.verb and row.key not in known
    (made,) = ours.manifest["lineage"]
    assert made["verb"] == "multiply" and made["of"] == file_sha256(source / "manifest.json")
    assert made["episodes"] == "0-2" and str(source) not in json.dumps(ours.manifest)
    assert {verb for verb, _, _ in (line.split(maxsplit=2) for line in list(multiplied.lines())[1:])} <= {
        "lift",
        "touch",
    }


def test_nobody_is_asked_for_what_nobody_shows(source, multiplied):
    node = Dataset.open(multiplied.store).manifest["config"]["scene"]["init_args"]
    assert [skill["class_path"].rpartition(".")[2] for skill in node["skills"]] == ["Lift", "Touch"]
    assert node["things"] == 3 and node["image_size"] == [32, 32]
    assert node["randomisation"] == {"profile": "basic", "only": ["objects"]}


def test_another_source_or_share_of_it_does_not_go_on(source, multiplied, tmp_path):
    again = partial(multiply, out=multiplied.store.path, episodes=4, scene=CHANGES, **FAST)
    assert again(source).made == 0
    with pytest.raises(UserError, match=r"begun with other options: .*source.episodes: 0-1 \(asked\)"):
        again(source, demonstrations="0-1")
    other = Path(shutil.copytree(source, tmp_path / "other"))
    (other / "manifest.json").write_text((other / "manifest.json").read_text() + "\n")
    with pytest.raises(UserError, match=r"source.of: .* \(asked\)"):
        again(other)


def test_demonstrations_are_what_the_simulator_knew(source):
    dataset = Dataset.open(source)
    (first, *_) = read_demonstrations(dataset, [0], scene=scene_node(dataset), workers=1)
    episode = dataset.episode(0)
    thing = episode.things.index(episode.goal.object)
    assert np.abs(first.hand - episode.signals["eef_pos_world"][:-1]).max() < 1e-4
    assert np.abs(first.object - episode.privileged[BODY_POSES][:-1, thing, :3]).max() < 1e-6
    assert first.takes == (episode.goal.verb == "lift") and len(first) == len(episode.actions)


def test_a_lone_drawer_gets_company_that_is_never_asked_for():
    skills = [{"class_path": f"mmil.scenes.skills.{name}"} for name in ("Open", "Close", "Wipe", "Touch")]
    node = {"class_path": "mmil.scenes.Tabletop", "init_args": {"skills": skills, "fixtures": 2}}
    options = _restricted(node, ["open"])["init_args"]
    assert options["skills"] == [skills[0], skills[3]] and options["fixtures"] == 1
    assert options["randomisation"]["held_out"] == [{"verb": "touch"}]
    assert _restricted(node, ["open", "wipe"])["init_args"] == {"skills": [skills[0], skills[2]], "fixtures": 2}
    with pytest.raises(UserError, match="skills are open, close, wipe, touch; there are demonstrations of stack"):
        _restricted(node, ["stack"])


# -- what is refused before anything is written ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"episodes": 0}, "episodes is 0; it must be 1 or more"),
        ({"seed": 5}, "seed 5 is the source's own"),
        ({"noise": 2.0}, "noise is 2.0"),
        ({"demonstrations": "7"}, "there are 0 to 1"),
        ({}, r"scene 'plane' cannot stand as it once did: it has no recall\(\)"),
    ],
)
def test_bad_options_are_told_in_a_line(plane, tmp_path, options, line):
    with pytest.raises(UserError, match=line):
        multiply(plane, out=tmp_path / "out", **{"episodes": 2, **FAST, **options})
    assert not (tmp_path / "out").exists()


def _without_scene(manifest):
    del manifest["config"]["scene"]


def _without_poses(manifest):
    manifest["spec"]["privileged"] = {}


def _with_another_scene(manifest):
    manifest["config"]["scene"]["class_path"] = "mmil.scenes.Table"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_without_scene, "does not say which scene it was made in"),
        (_without_poses, "does not say where its things were: it has no privileged body_poses"),
        (_with_another_scene, "mmil.scenes.Table"),
    ],
)
def test_sources_that_say_too_little_are_refused(plane, tmp_path, change, line):
    source = Path(shutil.copytree(plane, tmp_path / "source"))
    manifest = json.loads((source / "manifest.json").read_text())
    change(manifest)
    (source / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=line):
        multiply(source, out=tmp_path / "out", episodes=2, **FAST)
    assert not (tmp_path / "out").exists()


def test_itself_the_unfinished_and_the_failed_are_refused(plane, tmp_path, capsys):
    with pytest.raises(UserError, match="is the source itself"):
        multiply(plane, out=plane / ".." / plane.name, episodes=2, **FAST)
    begun = Path(shutil.copytree(plane, tmp_path / "begun"))
    (begun / "manifest.json").unlink()
    assert main(["multiply", str(begun), "--out", str(tmp_path / "out"), "--episodes", "2"]) == 2
    assert "is unfinished" in capsys.readouterr().err and not (tmp_path / "out").exists()
    build(tmp_path / "windy", episodes=1, keep="all", horizon=1, config={"scene": PLANE})
    with pytest.raises(UserError, match=r"none of 1 episodes .* is a success"):
        multiply(tmp_path / "windy", out=tmp_path / "out", episodes=2, **FAST)


def test_the_command_line_reads_on_in_generate(plane, tmp_path):
    arguments = [str(plane), "--out", str(tmp_path / "out"), "--episodes", "2", "--keep", "all"]
    options = parse(multiply, arguments, verb="multiply", positional=("source",), skip=("grammar", "tell")).options
    own = {"source", "out", "episodes", "demonstrations", "scene", "seed", "horizon", "noise", "workers"}
    passed_on = {"cluster", "address", "patience", "episodes_per_shard", "keep", "max_attempts"}
    assert options.keys() == own | passed_on and options["keep"] == "all"
