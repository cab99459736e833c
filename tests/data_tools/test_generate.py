"""The same seed gives the same bytes: with one worker or two, killed anywhere and resumed, out of disk and back."""

import functools
import json
import os
import re
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from data_tools.generate import generate
from data_tools.guard import picture_faults
from mmil.contracts import Step, UserError
from mmil.data.dataset import Dataset
from mmil.rollout import rollout
from mmil.seeds import episode_seed
from mmil.shown import Shown
from tests.plane import Plane, Reach, Wander, build, files


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """What an undisturbed run with one worker makes."""
    folder = tmp_path_factory.mktemp("reference") / "plane"
    build(folder)
    return folder


def test_what_stands_at_the_end(reference):
    assert sorted(files(reference)) == [
        *(f"episodes-00000{n}.tar" for n in range(3)),
        *("generation.json", "index.jsonl", "manifest.json"),
    ]
    dataset = Dataset.open(reference)
    manifest = dataset.manifest
    assert [shard["episodes"] for shard in manifest["shards"]] == [3, 3, 1]
    assert manifest["config"] == json.loads((reference / "generation.json").read_text())
    assert {row.outcome for row in dataset.rows} == {"success"}
    assert manifest["failed_attempts"] == sum(row.attempts - 1 for row in dataset.rows) > 0
    for row in dataset.rows:
        assert row.seed == episode_seed(5, row.index, row.attempts - 1)
        said = {str(entry["goal"]): entry["sentences"] for entry in manifest["sentences"]}
        assert row.instruction in said[str(row.goal.to_json())]
    assert len({row.instruction for row in dataset.rows}) > 3


def test_neither_place_nor_machine_is_in_it(reference):
    text = (reference / "manifest.json").read_text() + (reference / "generation.json").read_text()
    assert not any(word in text for word in (str(reference), os.uname().nodename, "workers"))


def test_two_workers_make_the_same_bytes(reference, tmp_path):
    assert build(tmp_path / "two", workers=2).made == 7
    assert files(tmp_path / "two") == files(reference)


def test_another_seed_makes_other_bytes(reference, tmp_path):
    build(tmp_path / "other", seed=6, episodes=1)
    assert files(tmp_path / "other")["episodes-000000.tar"] != files(reference)["episodes-000002.tar"]


def test_a_finished_folder_is_left_as_it_is(reference):
    before = files(reference)
    assert build(reference).made == 0
    assert files(reference) == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"episodes": 8}, "episodes: 8 (asked) != 7 (there)"),
        ({"seed": 9}, "seed: 9 (asked) != 5 (there)"),
        ({"config": {"scene": {"things": 4}}}, "scene: {'things': 4} (asked) != (absent) (there)"),
    ],
)
def test_other_options_are_refused(reference, change, line):
    before = files(reference)
    with pytest.raises(UserError) as error:
        build(reference, **change)
    assert line in str(error.value)
    assert files(reference) == before


def test_out_and_workers_are_not_options_of_the_data(tmp_path):
    config = {"scene": {"things": 3}, "out": str(tmp_path), "workers": 2}
    build(tmp_path / "a", episodes=1, config=config)
    stored = json.loads((tmp_path / "a" / "generation.json").read_text())
    assert stored["scene"] == {"things": 3} and "out" not in stored and "workers" not in stored


@pytest.mark.parametrize("name", ["notes.txt", ".parts", "episodes-000000.tar"])
def test_a_folder_with_something_else_is_refused(tmp_path, name):
    (tmp_path / name).mkdir() if name == ".parts" else (tmp_path / name).write_text("mine")
    (tmp_path / ".parts").is_dir() and (tmp_path / ".parts" / "mine").write_text("mine")
    before = files(tmp_path)
    with pytest.raises(UserError, match="holds something else"):
        build(tmp_path)
    assert files(tmp_path) == before


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is a file"):
        build(tmp_path / "file")


@pytest.mark.parametrize("name", ["episodes", "episodes_per_shard", "horizon", "max_attempts"])
def test_numbers_must_be_positive(tmp_path, name):
    numbers = {"episodes": 2, "episodes_per_shard": 2, "horizon": 9, "max_attempts": 2, name: 0}
    with pytest.raises(UserError, match=f"{name} is 0; it must be 1 or more"):
        generate(scene=Plane, actor=Reach, out=tmp_path / "out", seed=0, workers=1, **numbers)
    assert not (tmp_path / "out").exists()


def test_an_expert_that_cannot_is_told(tmp_path):
    with pytest.raises(UserError, match=r"episode 0: no success in 2 attempts \((timeout|wrong_object) "):
        build(tmp_path / "out", actor=Wander, horizon=3, max_attempts=2)


def test_keep_all_keeps_failures_and_the_experts_labels(tmp_path):
    build(tmp_path / "out", actor=Wander, expert=Reach, keep="all", episodes=4)
    dataset = Dataset.open(tmp_path / "out")
    assert {row.attempts for row in dataset.rows} == {1} and {row.outcome for row in dataset.rows} != {"success"}
    episode = dataset.episode(0)
    assert (episode.labels != episode.actions).any()


# -- pictures that were not rendered -----------------------------------------------------------------------------------


class Corrupt(Plane):
    """Renders like robosuite after the collector freed its context."""

    fault = "stale"

    def _result(self, outcome):
        step = super()._result(outcome)
        if self._elapsed < 2:
            self._last = {name: np.array(step.observation.images[name]) for name in self.spec.cameras}
            return step
        images = Shown(tuple(self.spec.cameras), self._wrong)
        return Step(type(step.observation)(images, step.observation.signals, ""), step.state, step.reward, outcome)

    def _wrong(self, camera):
        other = {"top": "side", "side": "top"}[camera]
        return {
            "stale": self._last[camera],
            "black": np.zeros_like(self._last[camera]),
            "same": self._draw("top"),
            "swap": self._draw(other),
        }[self.fault]


FAULTS = [("stale", "stands still"), ("black", "single colour"), ("same", "show the same picture"), ("swap", "swap")]


@pytest.mark.parametrize(("fault", "line"), FAULTS)
def test_corrupt_rendering_is_never_kept(tmp_path, monkeypatch, fault, line):
    monkeypatch.setattr(Corrupt, "fault", fault)
    said = rf"episode 0: nothing to keep in 3 attempts \(quarantined 3\): .*{line}.*: rendering is corrupt"
    with pytest.raises(UserError, match=said):
        build(tmp_path, scene=Corrupt, actor=Wander, keep="all", max_attempts=3)
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("*.tar"))


HOW = [("stale", 1), ("stale", 2), ("raise", 1), ("raise", 2), ("die", 2)]


@pytest.mark.parametrize(("how", "workers", "patience"), [*((*case, None) for case in HOW), ("hang", 1, 2.0)])
def test_a_worker_that_breaks_is_replaced(reference, tmp_path, how, workers, patience):
    """Another worker makes the episode, and nothing is to be seen of it."""
    out, mark = tmp_path / "out", tmp_path / "mark"
    build(out, scene=functools.partial(BreaksOnce, how, mark), workers=workers, patience=patience)
    assert mark.exists() and files(out) == files(reference)


class BreaksOnce(Plane):
    """Breaks in the episode after its first; whoever is made after it does not."""

    def __init__(self, how, mark):
        super().__init__()
        self.how, self.mark, self.broken, self.resets, self.last = how, mark, False, 0, None

    def reset(self, seed):
        self.resets += 1
        if self.resets > 1 and not self.mark.exists():
            self.mark.touch()
            self.broken = True
        return super().reset(seed)

    def _draw(self, camera):
        if self.broken and self.how == "raise":
            raise RuntimeError("EGL_CONTEXT_LOST")
        if self.broken and self.how in ("die", "hang"):
            os.kill(os.getpid(), {"die": signal.SIGKILL, "hang": signal.SIGSTOP}[self.how])
        if self.broken and camera == "top":
            return self.last
        picture = super()._draw(camera)
        self.last = picture if camera == "top" else self.last
        return picture


def test_good_rendering_passes_the_guard():
    scene = Plane()
    for seed in range(30):
        assert picture_faults(rollout(scene, Wander() if seed % 2 else Reach(), seed=seed, horizon=24)) == []


def test_a_slow_camera_that_loses_pictures_is_no_broken_one_and_one_that_stops_is():
    quick = rollout(Plane(), Wander(), seed=1, horizon=40)
    shown = np.arange(len(quick.actions) + 1) // 2 * 2
    slow = np.where((shown == 4) | (shown == 6), 2, shown)  # two are lost: the same for 5 steps
    frames = {camera: frames[slow] for camera, frames in quick.images.items()}
    episode = replace(quick, images=frames, draws={**quick.draws, "sensors": {"image_every": 2}})
    assert picture_faults(episode) == []
    assert any("stands still" in fault for fault in picture_faults(replace(quick, images=frames)))  # of a quick camera
    stopped = {camera: frames[np.minimum(slow, 2)] for camera, frames in quick.images.items()}
    assert any("stands still" in fault for fault in picture_faults(replace(episode, images=stopped)))


# -- what it will cost -------------------------------------------------------------------------------------------------


def test_the_cost_is_told_when_it_is_known(tmp_path):
    told = []
    build(tmp_path / "few", tell=told.append)
    assert told == []  # over before anybody has read it
    build(tmp_path / "many", episodes=12, tell=told.append)
    (line,) = told
    assert re.fullmatch(
        r"estimate: [\d.]+ s and [\d.]+ kB an episode; the other 4 take \d+ s with 1 worker and [\d.]+ kB "
        r"of [\d.]+ [GT]B that are free",
        line,
    )


def test_a_disk_that_is_too_small_is_told_before_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=100_000))
    with pytest.raises(UserError, match=r"92 episodes more take about [\d.]+ MB, and 100\.0 kB are free at"):
        build(tmp_path / "out", episodes=100)
    assert len(list((tmp_path / "out").rglob("*.tar"))) == 2


def test_the_cost_can_be_asked_for_before_anything_is_begun(tmp_path):
    told = []
    build(tmp_path / "deep" / "later", episodes=40, estimate=True, tell=told.append)
    assert re.match(r"estimate: [\d.]+ s and [\d.]+ kB an episode; all 40 take ", *told)
    assert not any(tmp_path.iterdir())
