"""Episodes to play in a browser: every instant is there, in its place, and the page stays small."""

import base64
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from data_tools.inspect import inspect
from data_tools.player import playable, to_play, weight
from mmil.contracts import Goal
from mmil.data.dataset import Dataset
from mmil.data.jpeg import decode_frame
from mmil.rollout import rollout
from tests.plane import HORIZON, SIZE, THINGS, Plane, Reach, build


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "plane"
    build(path, episodes=9)
    return path


def test_every_instant_can_be_played(folder):
    card = inspect(folder).read_text()
    dataset = Dataset.open(folder)
    shown = [[int(at) for at in text.split()] for text in re.findall(r'data-instants="([^"]*)"', card)]
    steps = sorted(row.steps for row in dataset.rows)
    assert {instants[-1] for instants in shown} >= {steps[0], steps[-1]}
    assert all(instants == list(range(len(instants))) for instants in shown)


def test_a_mosaic_holds_every_frame_in_its_place():
    episode = rollout(Plane(windy=0), Reach(), seed=4, horizon=HORIZON)
    item = playable(episode, Plane.spec, index=0)
    for name, source, columns, rows, ratio in item["cameras"]:
        mosaic = decode_frame(base64.b64decode(source.partition(",")[2]))
        assert mosaic.shape == (rows * SIZE, columns * SIZE, 3) and ratio == 1
        for at, frame in enumerate(episode.images[name]):
            top, left = at // columns * SIZE, at % columns * SIZE
            assert np.abs(mosaic[top : top + SIZE, left : left + SIZE].astype(int) - frame).mean() < 12
    assert [track["name"] for track in item["tracks"]] == ["action", "eef_pos_world", "force", "torque"]


def test_long_episodes_and_large_pictures_are_thinned_out():
    episode = rollout(Plane(windy=0), Reach(), seed=4, horizon=HORIZON)
    times = 1000 // len(episode.states)
    longer = {name: np.repeat(array, times, axis=0) for name, array in episode.signals.items()}
    images = {"top": np.zeros((len(longer["wrench"]), 480, 640, 3), np.uint8)}
    long = SimpleNamespace(actions=np.zeros((len(longer["wrench"]) - 1, 3)), images=images, maps={}, signals=longer)
    item = playable(long, Plane.spec, index=0)
    assert len(item["instants"]) <= 101 and item["instants"][-1] == len(long.actions)
    assert weight(item) < 400_000 and item["cameras"][0][4] == pytest.approx(4 / 3)


def test_what_is_worth_playing(folder):
    rows = Dataset.open(folder).rows
    assert to_play(()) == [] and rows[to_play(rows)[0]].steps == max(row.steps for row in rows)
    many = [replace(row, index=at, goal=Goal(f"verb{at}", THINGS[0]), outcome="timeout" if at == 7 else "success")
            for at, row in enumerate(rows * 3)]  # fmt: skip
    chosen = to_play(many)
    assert len(chosen) == len(set(chosen)) == 12 and 7 in chosen
