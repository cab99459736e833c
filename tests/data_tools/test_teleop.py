"""What a person demonstrates is on disk at once, numbered, and a data set whatever happens next."""

import json

import numpy as np
import pytest
import yaml

from data_tools.inspect import inspect
from data_tools.teleop import teleop
from data_tools.verify import verify
from data_tools.window import NoWindow, picture
from mmil.cli import main
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.experts.teleop import Screen, Skip, Stop, Undo
from mmil.seeds import episode_seed
from tests.devices import Finger
from tests.plane import HORIZON, Plane, files


class Commands(NoWindow):
    """A screen whose person presses keys: which, at which showing."""

    def __init__(self, keys):
        self.keys, self.shown = keys, 0

    def show(self, observation):
        self.shown += 1
        assert observation.instruction
        if self.shown in self.keys:
            raise self.keys[self.shown]


def sit(out, *, episodes=3, keys=(), asks=(), windy=0.0, heard=None, **options):
    stage = Plane(windy=windy)
    return teleop(
        scene=lambda: stage,
        device=lambda: Finger(stage, asks),
        screen=lambda: Commands(dict(keys)),
        out=out,
        episodes=episodes,
        **{
            "seed": 5,
            "horizon": HORIZON,
            "real_time": False,
            "tell": heard.append if heard is not None else lambda line: None,
            **options,
        },
    )


def test_it_writes_the_data_set_that_generate_would(tmp_path):
    made = sit(tmp_path)
    dataset = Dataset.open(tmp_path)
    assert (made.episodes, made.made, len(dataset)) == (3, 3, 3)
    assert [row.seed for row in dataset.rows] == [episode_seed(5, index) for index in range(3)]
    for index in range(3):
        episode = dataset.episode(index)
        assert episode.success and np.array_equal(episode.labels, episode.actions)
    assert verify(tmp_path, scene=lambda: Plane(windy=0.0), replay=1.0, workers=1, patience=None) == []
    assert inspect(tmp_path).is_file()
    assert set(files(tmp_path)) == {*(f"episodes-{n:06d}.tar" for n in range(3)), *TEXTS, "card.html", "verify.json"}


TEXTS = ("manifest.json", "index.jsonl", "generation.json")


def test_stopped_it_is_a_data_set_and_goes_on_to_the_same_bytes(tmp_path):
    sit(tmp_path / "whole", episodes=4)
    first = Dataset.open(tmp_path / "whole").rows[0].steps
    stopped = sit(tmp_path / "cut", episodes=4, keys={first + 2: Stop})
    assert stopped.episodes == len(Dataset.open(tmp_path / "cut")) == 1
    went_on = sit(tmp_path / "cut", episodes=4)
    assert went_on.made == 4 - stopped.episodes and files(tmp_path / "cut") == files(tmp_path / "whole")


def test_killed_between_a_shard_and_its_manifest_nothing_is_lost(tmp_path):
    sit(tmp_path, episodes=2)
    before = files(tmp_path)
    sit(tmp_path, episodes=3)
    for name in TEXTS[:2]:  # as they were before the third
        (tmp_path / name).write_bytes(before[name])
    assert sit(tmp_path, episodes=3).made == 0
    assert len(Dataset.open(tmp_path)) == 3


def test_again_is_the_same_layout_and_skip_another(tmp_path):
    heard = []
    sit(tmp_path, episodes=2, asks=[2], keys={4: Skip}, heard=heard)
    rows = Dataset.open(tmp_path).rows
    assert [row.attempts for row in rows] == [2, 1]
    assert [row.seed for row in rows] == [episode_seed(5, 0, 1), episode_seed(5, 1)]
    sentences = [line for line in heard if line.startswith("episode 0")]
    assert len(sentences) == 3 and sentences[0] == sentences[1] != sentences[2]  # again, then another


def test_undo_throws_the_last_episode_away(tmp_path):
    shown = Dataset.open(sit(tmp_path / "one", episodes=1).out).rows[0].steps
    made = sit(tmp_path / "two", episodes=2, keys={shown + 2: Undo})
    assert (made.episodes, made.made) == (2, 2)
    assert files(tmp_path / "two") == files(sit(tmp_path / "three", episodes=2).out)
    made = sit(tmp_path / "none", episodes=2, keys={1: Undo, shown + 2: Undo, shown + 3: Stop})
    assert made.episodes == 0 and set(files(tmp_path / "none")) == {"generation.json"}


def test_a_failure_is_done_again_unless_all_is_kept(tmp_path):
    heard = []
    made = sit(tmp_path / "a", episodes=1, horizon=2, keys={5: Stop}, heard=heard)
    assert made.episodes == 0 and sum("not kept" in line for line in heard) == 2
    assert sit(tmp_path / "b", episodes=1, horizon=2, keep="all").episodes == 1
    assert Dataset.open(tmp_path / "b").rows[0].outcome == "timeout"


def test_what_cannot_be_measured_is_not_kept_and_its_reason_told(tmp_path):
    class Broken(Plane):
        def _result(self, outcome):
            step = super()._result(outcome)
            step.observation.signals["eef_pos_world"][0] += 100.0 * (outcome is not None)
            return step

    heard = []
    stage = Broken(windy=0.0)
    screen = Commands({30: Stop})
    done = teleop(
        scene=lambda: stage,
        device=lambda: Finger(stage),
        screen=lambda: screen,
        **{"out": tmp_path, "episodes": 1, "seed": 5, "horizon": HORIZON, "real_time": False, "tell": heard.append},
    )
    assert done.episodes == 0 and any("not kept (signal eef_pos_world reaches" in line for line in heard), heard


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"episodes": 0}, "episodes is 0"),
        ({"horizon": 9}, "begun with other options: horizon"),
        ({"seed": 6}, "begun with other options: seed"),
    ],
)
def test_bad_input_is_told_and_nothing_is_lost(options, part, tmp_path):
    sit(tmp_path)
    before = files(tmp_path)
    with pytest.raises(UserError, match=part):
        sit(tmp_path, **options)
    assert files(tmp_path) == before


def test_a_lost_shard_is_missed(tmp_path):
    sit(tmp_path)
    (tmp_path / "episodes-000001.tar").unlink()
    with pytest.raises(UserError, match=r"episodes-000001\.tar is missing"):
        sit(tmp_path)


def test_the_picture_holds_the_sentence_and_every_camera():
    stage = Plane()
    stage.reset(1)
    told = stage.tell(stage.goals[0], "touch the red cube").observation
    seen = picture(told, height=120)
    assert seen.shape == (120 + 2 * 40, 240, 3) and seen[:40].any()
    blank = picture(stage.tell(stage.goals[0], "").observation, height=120)
    assert not blank[:40].any() and np.array_equal(seen[40:], blank[40:])


def test_the_verb_drives_a_robot_with_a_scripted_device(tmp_path, capsys):
    config = {
        "scene": {"class_path": "mmil.scenes.Tabletop", "init_args": {"image_size": [32, 32], "things": 2}},
        "device": "tests.devices.Script",
        "screen": "data_tools.window.NoWindow",
        "episodes": 2,
        "seed": 0,
        "horizon": 5,
        "keep": "all",
    }
    (tmp_path / "scripted.yaml").write_text(yaml.safe_dump(config))
    assert main(["teleop", "--config", str(tmp_path / "scripted.yaml"), "--out", str(tmp_path / "data")]) == 0
    said = capsys.readouterr().out
    assert "timeout, kept" in said and "steps late" in said and "next: mmil inspect" in said
    episode = Dataset.open(tmp_path / "data").episode(1)
    assert np.array_equal(episode.actions, np.tile([1, 0, 0, 0, 0, 0, -1], (5, 1)))
    moved = episode.signals["eef_pos_world"][-1] - episode.signals["eef_pos_world"][0]
    assert moved[0] > 0.03 and abs(moved[1]) < 0.01
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    assert manifest["config"]["device"]["class_path"] == "tests.devices.Script"


def test_a_screen_is_closed_whatever_happens(tmp_path):
    class Bad(Screen):
        closed = False

        def show(self, observation):
            raise UserError("the cable is out")

        def close(self):
            Bad.closed = True

    stage = Plane()
    with pytest.raises(UserError, match="cable"):
        teleop(
            scene=lambda: stage, device=lambda: Finger(stage), screen=Bad, out=tmp_path, episodes=1, seed=0, horizon=3
        )
    assert Bad.closed and stage.closed
