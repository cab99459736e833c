"""Stored states shown anew: the same where nothing is changed, and only what is asked for is another one."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from data_tools.film import grid, tile
from data_tools.generate import generate
from data_tools.render import chosen, named, render
from data_tools.repaint import difference
from data_tools.studio import Change, StudioPlan, nested
from data_tools.verify import verify
from mmil.config import build_scene
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.data.shards import file_sha256
from mmil.evaluation.video import read_video
from mmil.experts import Lift
from mmil.seeds import look_seed
from tests.plane import Plane, build, files

ROOT = Path(__file__).parents[2]
SCENE = {"class_path": "tests.plane.Plane", "init_args": {"windy": 0.35}}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "plane"
    build(folder, config={"scene": SCENE})
    return folder


@pytest.fixture(scope="module")
def redrawn(source, tmp_path_factory):
    """With another look, by one worker."""
    out = tmp_path_factory.mktemp("redrawn") / "plane"
    assert render(source, out=out, look=3, workers=1).made == 7
    return out


def test_unchanged_the_pictures_come_back(source, tmp_path):
    done = render(source, out=tmp_path / "same", workers=1)
    assert done.difference is not None and done.difference.mean < 4
    there, here = Dataset.open(source), Dataset.open(tmp_path / "same")
    for index in range(len(there)):
        one, other = there.episode(index), here.episode(index)
        for camera, frames in one.images.items():
            assert np.abs(frames.astype(int) - other.images[camera]).mean() < 4
        assert one.draws == other.draws and one.key == other.key


def test_only_the_look_is_another_one(source, redrawn):
    there, here = Dataset.open(source), Dataset.open(redrawn)
    assert [row.key for row in here.rows] == [row.key for row in there.rows]
    for index in range(len(there)):
        one, other = there.episode(index), here.episode(index)
        for name in ("goal", "instruction", "outcome", "things", "seed", "provenance", "measures"):
            assert getattr(one, name) == getattr(other, name)
        for name in ("actions", "labels", "rewards", "states"):
            assert (getattr(one, name) == getattr(other, name)).all()
        assert all((one.signals[name] == other.signals[name]).all() for name in one.signals)
        assert {name for name in one.draws if one.draws[name] != other.draws[name]} == {"table"}
        assert difference(one.images["top"][0], other.images["top"][0]).mean > 3
    tables = {json.dumps(here.episode(index).draws["table"]) for index in range(len(here))}
    assert len(tables) == len(here)  # a look an episode


def test_the_manifest_says_where_it_comes_from(source, redrawn):
    (made,) = Dataset.open(redrawn).manifest["lineage"]
    assert made["verb"] == "render" and made["of"] == file_sha256(source / "manifest.json")
    assert made["look"] == 3 and made["redrawn"] == ["table"] and made["episodes"] == "0-6"
    assert str(source) not in (redrawn / "manifest.json").read_text()


def test_what_was_rendered_anew_is_verified_and_replayed(redrawn):
    assert verify(redrawn, scene=Plane, replay=1.0, workers=1, patience=None) == []


def test_a_rendered_data_set_with_other_pictures_is_found_out(source, tmp_path):
    """Its draws say one table, its pictures show another."""

    class Liar(Plane):
        def retake(self, draws, states):
            return super().retake({**draws, "table": [120, 120, 120]}, states)

    render(source, out=tmp_path / "out", look=3, workers=1)
    reasons = verify(tmp_path / "out", scene=Liar, replay=1.0, workers=1, patience=None)
    assert len(reasons) == 7 and all("when rendered again" in reason for reason in reasons)


def test_two_workers_and_a_kill_make_the_same_bytes(source, redrawn, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "script.py").write_text(
        "import os, data_tools.render as r\n"
        "write, left = r.write_atomic, [4]\n"
        "def dying(path, content):\n"
        "    write(path, content)\n"
        "    left[0] -= 1\n"
        "    if not left[0]: os._exit(9)\n"
        "r.write_atomic = dying\n"
        f"r.render({str(source)!r}, out={str(out)!r}, look=3, workers=1)"
    )
    killed = subprocess.run(
        [sys.executable, tmp_path / "script.py"], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert killed.returncode == 9 and not (out / "manifest.json").exists() and list(out.rglob("*.part"))
    done = render(source, out=out, look=3, workers=2)
    assert 0 < done.made < 7
    assert files(out) == {name: data for name, data in files(redrawn).items() if name != "verify.json"}
    assert render(source, out=out, look=3).made == 0


def test_some_episodes_only(source, tmp_path):
    render(source, out=tmp_path / "some", episodes="1,4-5", workers=1)
    there, here = Dataset.open(source), Dataset.open(tmp_path / "some")
    assert [row.key for row in here.rows] == [there.rows[index].key for index in (1, 4, 5)]
    assert verify(tmp_path / "some", scene=Plane, replay=1.0, workers=1, patience=None) == []


def test_rendered_twice_it_knows_both(source, redrawn, tmp_path):
    render(redrawn, out=tmp_path / "again", look=4, episodes="0", workers=1)
    lineage = Dataset.open(tmp_path / "again").manifest["lineage"]
    assert [made["look"] for made in lineage] == [3, 4]
    assert lineage[1]["of"] == file_sha256(redrawn / "manifest.json")


# -- films -------------------------------------------------------------------------------------------------------------


def test_one_film_of_all_or_one_each(source, tmp_path):
    dataset = Dataset.open(source)
    render(source, film=tmp_path / "all.mp4", episodes="0-2", workers=1)
    frames = read_video(tmp_path / "all.mp4")
    assert len(frames) == max(row.steps for row in dataset.rows[:3]) + 1 and frames[0].std() > 10
    render(source, film=tmp_path / "films", episodes="0-1", workers=1)
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == [f"{r.key}.mp4" for r in dataset.rows[:2]]


def test_a_shorter_film_stands_still_at_its_end():
    long = np.full((5, 4, 6, 3), 7, np.uint8)
    short = np.zeros((3, 4, 6, 3), np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None, None]
    picture = grid([long, short])
    assert picture.shape == (5, 4, 12, 3) and (picture[:, :, :6] == 7).all() and (picture[2:, :, 6:] == 2).all()


def test_a_sentence_that_no_font_knows(source):
    from dataclasses import replace

    episode = Dataset.open(source).episode(0)
    assert tile(replace(episode, instruction="赤い立方体 " * 40)).shape == tile(episode).shape


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "say where to"),
        ({"out": "{tmp}/a", "film": "{tmp}/b.mp4"}, "say where to"),
        ({"out": "{source}"}, "is the data set itself"),
        ({"out": "{tmp}/a", "episodes": "6-9"}, "there are 0 to 6"),
        ({"out": "{tmp}/a", "episodes": "one"}, "are not like 0-5,9"),
        ({"out": "{tmp}/a", "cameras": {"top": {"fovy": 3}}}, "no camera 'top' among the draws; there are none"),
        ({"out": "{tmp}/a", "scene": {"windy": "very"}}, "windy"),
        ({"out": "{tmp}/a", "scene": {"colour": "red"}}, "colour"),
        ({"out": "{tmp}/a", "scene": {"randomisation.cameras": "held_out"}}, "add --look SEED"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(source, tmp_path, options, line):
    before = files(source)
    options = {
        key: Path(value.format(tmp=tmp_path, source=source)) if key in ("out", "film") else value
        for key, value in options.items()
    }
    with pytest.raises(UserError, match=line):
        render(source, workers=1, **options)
    assert files(source) == before
    assert not list(tmp_path.rglob("*.tar")) and not list(tmp_path.rglob("*.mp4"))


def test_pictures_that_do_not_come_back_are_refused(source, tmp_path):
    """As on a machine whose simulator or renderer makes others of the same draws."""
    build(tmp_path / "set", episodes=2, config={"scene": {"class_path": f"{__name__}.Inverted", "init_args": {}}})
    with pytest.raises(UserError, match="the stored pictures do not come back with nothing changed: camera '"):
        render(tmp_path / "set", out=tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


class Inverted(Plane):
    def retake(self, draws, states):
        seen = super().retake(draws, states)
        return type(seen)({name: 255 - image for name, image in seen.images.items()}, {}, "")


def test_a_scene_that_can_show_nothing_is_told(source, tmp_path):
    build(tmp_path / "set", episodes=1, config={"scene": {"class_path": f"{__name__}.Blind", "init_args": {}}})
    with pytest.raises(UserError, match="cannot show stored states"):
        render(tmp_path / "set", out=tmp_path / "out", workers=1)


class Blind(Plane):
    look = None


def test_a_data_set_from_elsewhere_is_told(tmp_path):
    build(tmp_path / "set", episodes=1)
    with pytest.raises(UserError, match="does not say which scene it was made in"):
        render(tmp_path / "set", out=tmp_path / "out")


def test_episodes_by_their_numbers():
    assert chosen("0-2,5, 1", 7) == [0, 1, 2, 5]
    for text in ("0", "0-6", "0-2,5", "1,3,5-6"):
        assert named(chosen(text, 7)) == text
    for text in ("", "a", "3-", "-3", "9", "2-1", "0-99999999999999"):
        with pytest.raises(UserError):
            chosen(text, 7)


def test_options_from_the_command_line():
    assert nested({"a.b.c": 1, "a.d": 2, "e": 3}) == {"a": {"b": {"c": 1}, "d": 2}, "e": 3}
    node = Change(look=1, scene={"randomisation": {"cameras": "none"}}).node(
        type(
            "D", (), {"manifest": {"config": {"scene": {"class_path": "x", "init_args": {"randomisation": {"a": 1}}}}}}
        )
    )
    assert node["init_args"]["randomisation"] == {"a": 1, "cameras": "none"}


def test_looks_are_never_those_of_trials_and_differ_by_episode():
    seeds = {look_seed(seed, episode) for seed in range(5) for episode in range(0, 40, 2)}
    assert len(seeds) == 100 and all(seed % 2 == 0 and seed < 2**63 for seed in seeds)


# -- the real thing ----------------------------------------------------------------------------------------------------


def test_tabletop_from_other_cameras(tmp_path):
    node = {"class_path": "mmil.scenes.Tabletop", "init_args": {"image_size": [64, 64], "things": 2}}
    options = {"episodes": 1, "seed": 3, "horizon": 6, "workers": 1, "keep": "all", "config": {"scene": node}}
    generate(scene=partial(build_scene, node), actor=Lift, out=tmp_path / "set", **options)
    changes = {"look": 5, "scene": {"image_size": [72, 96]}, "cameras": {"front": {"azimuth": 55.0}}}
    done = render(tmp_path / "set", out=tmp_path / "out", workers=1, **changes)
    assert done.difference is not None and done.difference.mean < 2 and done.difference.local < 10
    one, other = (Dataset.open(tmp_path / name).episode(0) for name in ("set", "out"))
    assert other.images["front"].shape[1:] == (72, 96, 3)
    assert other.draws["light"] != one.draws["light"] and other.draws["objects"] == one.draws["objects"]
    assert other.draws["cameras"]["front"]["azimuth"] == 55.0
    assert np.allclose(other.signals["camera_front"][:, :3], other.draws["cameras"]["front"]["position"], atol=1e-5)
    assert not np.allclose(other.signals["camera_wrist"], one.signals["camera_wrist"], atol=1e-4)
    assert (one.signals["wrench"] == other.signals["wrench"]).all()
    plan = StudioPlan(tmp_path / "set", Change())
    studio = plan()
    try:
        again = studio.episode(0)
        assert all(np.allclose(again.signals[name], one.signals[name], atol=1e-5) for name in one.signals)
    finally:
        studio.close()
    assert verify(tmp_path / "out", scene=StudioScene(tmp_path / "out"), replay=1.0, workers=1, patience=None) == []


def test_cameras_record_as_they_did_unless_told_otherwise(tmp_path):
    noisy = {"profile": "strong", "only": ["images"], "cameras": "none"}
    node = {"class_path": "mmil.scenes.Tabletop"}
    node["init_args"] = {"image_size": [48, 48], "things": 2, "randomisation": noisy}
    options = {"episodes": 1, "seed": 6, "horizon": 6, "workers": 1, "keep": "all", "config": {"scene": node}}
    options |= {"patience": None}
    generate(scene=partial(build_scene, node), actor=Lift, out=tmp_path / "set", **options)
    stored = Dataset.open(tmp_path / "set").episode(0)
    assert stored.draws["sensors"]["image_noise"] > 4 and stored.draws["sensors"]["image_latency"]
    for name, clear in (("same", False), ("clear", True)):
        render(tmp_path / "set", out=tmp_path / name, workers=1, clear=clear)
        here = Dataset.open(tmp_path / name)
        apart = np.abs(here.episode(0).images["front"].astype(int) - stored.images["front"]).mean()
        assert apart > 2 if clear else apart < 1  # noise, and JPEG
        assert here.episode(0).draws == stored.draws or clear
        (made,) = here.manifest["lineage"]
        assert (made.get("clear"), made["redrawn"]) == ((True, ["sensors"]) if clear else (None, []))
        told = {"scene": StudioScene(tmp_path / name), "replay": 1.0, "workers": 1, "patience": None}
        assert verify(tmp_path / name, **told) == []


class StudioScene:
    """The scene that the manifest names."""

    def __init__(self, path):
        self.path = path

    def __call__(self):
        from mmil.config import build_scene

        return build_scene(Dataset.open(self.path).manifest["config"]["scene"])
