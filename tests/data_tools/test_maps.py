"""Depth and segmentation through the tools: generated, doubted, replayed, added later, shown, and carried elsewhere."""

import json
import re
from dataclasses import replace
from functools import partial

import h5py
import numpy as np
import pytest

from data_tools.convert.conversion import convert
from data_tools.film import tile
from data_tools.guard import map_faults
from data_tools.inspect import inspect
from data_tools.mapped import coloured
from data_tools.render import render
from data_tools.repaint import elsewhere
from data_tools.verify import verify
from mmil.contracts import ROBOT, map_name
from mmil.data.dataset import Dataset
from tests.data_tools.foreign import robomimic
from tests.plane import Plane, build, files

BOTH = ("depth", "segmentation")
SCENE = {"class_path": "tests.plane.Plane", "init_args": {"windy": 0.35}}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """With maps."""
    folder = tmp_path_factory.mktemp("data") / "plane"
    node = {**SCENE, "init_args": {"windy": 0.35, "streams": [*BOTH]}}
    build(folder, episodes=4, scene=partial(Plane, streams=BOTH), config={"scene": node})
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "plane"
    build(folder, episodes=4, config={"scene": SCENE})
    return folder


def shards(folder):
    return {name: data for name, data in files(folder).items() if name.endswith(".tar")}


# -- generated, doubted, replayed --------------------------------------------------------------------------------------


def test_a_data_set_with_maps_holds_and_replays(source, tmp_path):
    assert verify(source, scene=partial(Plane, streams=BOTH), replay=1.0, workers=1, patience=None) == []
    assert set(Dataset.open(source).spec.maps) == {
        f"{camera}.{stream}" for camera in ("top", "side") for stream in BOTH
    }
    build(tmp_path / "two", episodes=4, scene=partial(Plane, streams=BOTH), workers=2)
    assert shards(tmp_path / "two") == shards(source)


def test_a_scene_that_measures_something_else_is_found_out(source):
    class Nearer(Plane):
        def _measure(self, name):
            return super()._measure(name) - 10 * name.endswith("depth")

    reasons = verify(source, scene=partial(Nearer, streams=BOTH), replay=1.0, workers=1, patience=None)
    assert len(reasons) == 4 and all(
        "top.depth at instant 0 differs in 100.0% of its pixels" in line for line in reasons
    )
    (reason,) = verify(source, scene=Plane, replay=1.0, workers=1, patience=None)
    assert "the scene cannot replay this data set: maps." in reason


def test_maps_that_cannot_be_are_told():
    episode = next(episodes(Plane(windy=0, streams=BOTH)))
    assert map_faults(episode) == []
    depth, shown = (map_name("top", stream) for stream in BOTH)

    def faults(name, change):
        frames = episode.maps[name].copy()
        return map_faults(replace(episode, maps={**episode.maps, name: change(frames)}))

    def put(at, value):
        def change(frames):
            frames[at] = value
            return frames

        return change

    assert re.match(r"top\.depth is 0 mm everywhere at instant 1", faults(depth, put(1, 0))[0])
    assert re.match(
        r"top\.depth is the same for the whole", faults(depth, lambda f: np.repeat(f[:1], len(f), axis=0))[0]
    )
    assert re.match(r"top\.segmentation shows thing 9, of which there are 3", faults(shown, put((0, 0, 0), 9))[0])
    assert faults(shown, put((0, 0, 0), ROBOT)) == []
    where = np.argwhere(episode.maps[shown][2])[0]
    assert "shows at instant 2 what has no depth" in faults(depth, put((2, *where), 0))[0]
    dead = {**episode.draws, "sensors": {"dead_camera": 0.1}}
    black = {name: 0 * frames if name.startswith("top") else frames for name, frames in episode.maps.items()}
    assert map_faults(replace(episode, draws=dead, maps=black)) == []


def episodes(scene):
    from mmil.rollout import rollout
    from tests.plane import Reach

    yield rollout(scene, Reach(), seed=4, horizon=24)


def test_faulty_maps_are_quarantined(tmp_path):
    class Blind(Plane):
        def _measure(self, name):
            blind = name.endswith("depth") and self._things[0, 0] < 0.3
            return super()._measure(name) * (0 if blind else 1)

    made = build(tmp_path / "data", episodes=3, scene=partial(Blind, streams=BOTH), max_attempts=40)
    lines = (tmp_path / "data" / "quarantine.jsonl").read_text().splitlines()
    assert len(lines) == made.manifest["quarantined"] > 0
    assert all("depth is 0 mm everywhere" in json.loads(line)["reason"] for line in lines)


def test_two_maps_are_the_same_within_edges():
    depth = np.full((10, 10), 900, np.uint16)
    near = depth.copy()
    near[0, 0] = 700
    assert elsewhere(depth, depth + 1) == 0.0 and elsewhere(depth, near) == 0.01
    assert elsewhere(depth, depth.astype(np.uint8)) == elsewhere(depth, depth[:5]) == 1.0


# -- added later, shown ------------------------------------------------------------------------------------------------


def test_depth_is_added_to_a_data_set_made_without(plain, source, tmp_path):
    done = render(plain, out=tmp_path / "deep", scene={"streams": [*BOTH]}, workers=1)
    assert done.made == 4 and shards(done.written) == shards(source)  # as if it had been generated so
    assert Dataset.open(done.written).spec == Dataset.open(source).spec
    assert verify(done.written, scene=partial(Plane, streams=BOTH), replay=1.0, workers=1, patience=None) == []
    render(done.written, out=tmp_path / "flat", scene={"streams": []}, workers=1)
    assert shards(tmp_path / "flat") == shards(plain)


def test_the_card_and_films_show_them(source, plain, tmp_path):
    card, without = (inspect(path, out=tmp_path / f"{path.parent.name}.html").read_text() for path in (source, plain))
    assert "top depth" in card and "Depth and segmentation" in card and "is in sight at the start of 4 of 4" in card
    assert "0.95 m to 1.00 m" in card and "maps " in card
    assert "Depth and segmentation" not in without and "top depth" not in without
    wide, narrow = (tile(Dataset.open(path).episode(0)) for path in (source, plain))
    assert wide.shape[2] == 3 * narrow.shape[2]


def test_every_thing_has_a_colour_and_what_is_near_is_warm():
    labels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert len(np.unique(coloured("a.segmentation", labels).reshape(-1, 3), axis=0)) == 256
    depth = np.linspace(500, 2000, 4000).astype(np.uint16).reshape(1, 40, 100)
    shown = coloured("a.depth", depth).astype(int)
    assert shown[0, 2, 50, 0] > shown[0, 2, 50, 2] and shown[0, -2, 50, 2] > shown[0, -2, 50, 0]
    assert not coloured("a.depth", np.zeros((2, 4, 4), np.uint16)).any()


# -- carried elsewhere -------------------------------------------------------------------------------------------------


def test_robomimic_has_depth_in_metres_and_ours_comes_back(source, tmp_path):
    done = convert(source=source, to="robomimic", out=tmp_path / "plane.hdf5")
    assert "maps/top.segmentation" in done.notes.kept_aside
    episode = Dataset.open(source).episode(0)
    with h5py.File(tmp_path / "plane.hdf5") as file:
        demo = file["data/demo_0"]
        depth = demo["obs/top_depth"]
        assert depth.dtype == np.float32 and depth.shape == (len(episode.actions), 40, 40, 1)
        assert np.allclose(depth[..., 0], episode.maps["top.depth"][:-1] / 1000)
        assert np.array_equal(demo["next_obs/top_depth"][:-1], depth[1:])
    convert(source=tmp_path / "plane.hdf5", to="mmil", out=tmp_path / "back")
    assert shards(tmp_path / "back").keys() and same(source, tmp_path / "back")


@pytest.mark.parametrize("pictures", ["jpeg", "video"])
def test_lerobot_has_no_place_and_says_so(source, tmp_path, pictures):
    done = convert(source=source, to="lerobot", out=tmp_path / "lerobot", pictures=pictures)
    about = json.loads(done.report.read_text())
    assert about["kept_aside"]["top.depth"].startswith("no feature of the LeRobotDataset: PNGs in meta/mmil")
    features = json.loads((tmp_path / "lerobot" / "meta" / "info.json").read_text())["features"]
    assert not any("depth" in name for name in features)
    convert(source=tmp_path / "lerobot", to="mmil", out=tmp_path / "back")
    assert same(source, tmp_path / "back")


def same(folder, other) -> bool:
    """Whether two data sets hold the same maps."""
    pairs = [
        (one.episode(i), two.episode(i)) for one, two in [(Dataset.open(folder), Dataset.open(other))] for i in range(4)
    ]
    assert Dataset.open(folder).spec == Dataset.open(other).spec
    return all(
        list(a.maps) == list(b.maps) and all((a.maps[name] == b.maps[name]).all() for name in a.maps) for a, b in pairs
    )


def test_foreign_depth_is_read(tmp_path):
    path = robomimic(tmp_path / "lift.hdf5", demos=2)
    rng, metres = np.random.default_rng(0), {}
    with h5py.File(path, "a") as file:
        for name, demo in file["data"].items():
            rows, height, width = demo["obs/agentview_image"].shape[:3]
            metres[name] = rng.uniform(0.2, 70.0, (rows + 1, height, width, 1)).astype(np.float32)
            demo["obs/agentview_depth"], demo["next_obs/agentview_depth"] = metres[name][:-1], metres[name][1:]
    done = convert(source=path, to="mmil", out=tmp_path / "data")
    dataset = Dataset.open(tmp_path / "data")
    assert done.episodes == 2 and list(dataset.spec.maps) == ["agentview.depth"] and not done.notes.lost
    assert "metres" in done.notes.read["agentview_depth"] and "millimetres" in done.notes.changed["agentview_depth"]
    read = dataset.episode(0).maps["agentview.depth"] / 1000
    far = metres["demo_0"][..., 0] > 65.535
    assert np.abs(read - metres["demo_0"][..., 0])[~far].max() < 0.00051 and far.any() and not read[far].any()
    assert verify(tmp_path / "data", replay=0, workers=1) == []
    convert(source=tmp_path / "data", to="robomimic", out=tmp_path / "back.hdf5")
    with h5py.File(tmp_path / "back.hdf5") as file:
        assert np.allclose(file["data/demo_0/obs/agentview_depth"][..., 0], read[:-1])
