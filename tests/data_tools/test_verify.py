"""A good data set gives no reason to doubt it; each way to spoil one gives its own."""

import json
import os
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from data_tools.generate import load_grammar
from data_tools.told import training_leaks
from data_tools.verify import verify
from mmil.contracts import Goal, Thing, UserError
from mmil.data.dataset import Dataset
from mmil.data.sample import encode_episode
from mmil.data.shards import assemble, encode_rows, file_sha256, scan, shard_entry
from tests.plane import Plane, build, copy, grammar


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "plane"
    build(folder, episodes=4, per_shard=2)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return copy(finished, tmp_path / "copy")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_good_data_set_gives_no_reason(finished, workers):
    heard: list[str] = []
    assert verify(finished, scene=Plane, replay=1.0, workers=workers, tell=heard.append) == []
    assert heard == [
        "4 episodes in 2 shards read: 0 reasons to doubt them",
        "4 episodes replayed, 0 not reproduced: "
        "states differ by 0.0e+00 at most, things by 0.000 mm, the hand by 0.000 mm",
    ]


def test_a_truncated_shard(folder):
    shard = folder / "episodes-000001.tar"
    os.truncate(shard, shard.stat().st_size - 1)
    assert "episodes-000001.tar has" in only(verify(folder, workers=1))


def test_a_flipped_bit(folder):
    shard = folder / "episodes-000001.tar"
    data = bytearray(shard.read_bytes())
    data[5000] ^= 1
    shard.write_bytes(data)
    assert "episodes-000001.tar has sha256" in only(verify(folder, workers=1))


def test_an_unfinished_folder(folder):
    (folder / "manifest.json").unlink()
    assert "is unfinished" in only(verify(folder, workers=1))


SPOILT = {
    "actions reach 1.500, outside [-1, 1]": lambda e: {"actions": e.actions * 0 + 1.5},
    "labels reach 2.000": lambda e: {"labels": e.labels * 0 - 2},
    "signal eef_pos_world reaches 100": lambda e: {"signals": {**e.signals, "eef_pos_world": off(e, 100)}},
    "things red cube, the Spec says 3": lambda e: {"things": (Thing("cube", "red"),)},
    "but the things are red cone, green cone, blue cone": lambda e: {
        "things": tuple(Thing("cone", thing.colour) for thing in e.things)
    },
    "signals {'wrench': (4, 6)}, the Spec says": lambda e: {"signals": {"wrench": e.signals["wrench"]}},
    "images {'top': (20, 40, 3)": lambda e: {"images": {**e.images, "top": e.images["top"][:, :20]}},
    "camera 'top' shows one picture": lambda e: {
        "images": {**e.images, "top": e.images["top"] * 0 + e.images["top"][:1]}
    },
    "camera 'side' shows a single colour": lambda e: {"images": {**e.images, "side": e.images["side"] * 0 + 9}},
    "is odd, and odd seeds belong to trials": lambda e: {"seed": e.seed + 1},
    "is of split 'held_out'": lambda e: {"split": "held_out"},
    "is not among the manifest's sentences": lambda e: {"instruction": "do as you please"},
    "things lie 250.000 mm elsewhere": lambda e: {
        "privileged": {"body_poses": e.privileged["body_poses"] + 0.25 * np.eye(7)[0]}
    },
    "wrench differs by 3": lambda e: {"signals": {**e.signals, "wrench": e.signals["wrench"] + np.float32(3)}},
    "rewards differs by 1": lambda e: {"rewards": e.rewards * 0},
    "path_speed is not there again": lambda e: {"measures": {"path_speed": 1.0}},
    "it ends after": lambda e: {
        "actions": np.concatenate([e.actions, e.actions[-1:]]),
        "labels": np.concatenate([e.labels, e.labels[-1:]]),
        "rewards": np.append(e.rewards, e.rewards[-1:]),
        "states": np.concatenate([e.states, e.states[-1:]]),
        "signals": {name: np.concatenate([a, a[-1:]]) for name, a in e.signals.items()},
        "privileged": {name: np.concatenate([a, a[-1:]]) for name, a in e.privileged.items()},
        "images": {name: np.concatenate([a, a[-1:]]) for name, a in e.images.items()},
    },
    "states differ by 1.0e-03": lambda e: {"states": e.states + 1e-3},
    "draws differ": lambda e: {"draws": {**e.draws, "wind": [9.0, 9.0]}},
    "the outcome is success, recorded was timeout": lambda e: {"outcome": "timeout"},
    "when rendered again": lambda e: {"images": {name: 255 - frames for name, frames in e.images.items()}},
}


def off(episode, metres):
    return episode.signals["eef_pos_world"] * 0 + np.float32(metres)


@pytest.mark.parametrize("reason", SPOILT)
def test_a_spoilt_episode_with_true_checksums(folder, reason):
    spoil(folder, SPOILT[reason])
    assert any(reason in line for line in verify(folder, scene=Plane, replay=1.0, workers=1, patience=None))


def test_the_findings_are_written(folder, tmp_path):
    spoil(folder, lambda e: {"states": e.states + 1e-3, "provenance": {**e.provenance, "numpy": "0.9"}})
    heard: list[str] = []
    (line,) = verify(
        folder, scene=Plane, replay=1.0, workers=1, patience=None, report=tmp_path / "report.json", tell=heard.append
    )
    findings = json.loads((tmp_path / "report.json").read_text())
    assert findings["not_reproduced"] == [0] and findings["reasons"] == [line]
    assert findings["manifest_sha256"] == file_sha256(folder / "manifest.json")
    drifts = [(one["index"], round(one["state"], 6), one["things_mm"]) for one in findings["replayed"]]
    assert drifts == [(0, 0.001, 0.0), (1, 0.0, 0.0), (2, 0.0, 0.0), (3, 0.0, 0.0)]
    assert f"recorded by others: numpy 0.9, here {np.__version__}" in line
    assert heard[1].startswith("4 episodes replayed, 1 not reproduced: states differ by 1.0e-03 at most")
    assert heard[2].startswith("  episode 0 (lift ") and "things 0.000 mm" in heard[2]


def test_a_report_that_cannot_be_written_is_told(finished, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write" in only(verify(finished, workers=1, replay=0, report=tmp_path / "file" / "report.json"))


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_is_a_share(finished, share):
    with pytest.raises(UserError, match="share of the episodes, 0 to 1"):
        verify(finished, replay=share)


def test_a_goal_the_scene_does_not_have(folder):
    class Shy(Plane):
        def tell(self, goal, instruction):
            raise UserError(f"goal {goal} is not feasible here")

    reasons = verify(folder, scene=Shy, replay=1.0, workers=1, patience=None)
    assert len(reasons) == 4 and all("is not feasible here" in reason for reason in reasons)


def test_verbs_that_the_bank_does_not_know_leak_nothing(folder):
    goal = Goal("do", Thing("wipe the pan"))
    assert training_leaks(load_grammar(), {goal: ["wipe the pan"]}) == []


def test_an_index_that_disagrees_with_its_samples(folder):
    rows = list(Dataset.open(folder).rows)
    rows[1] = replace(rows[1], outcome="dropped", attempts=9)
    publish(folder, rows)
    assert only(verify(folder, workers=1)) == "episode 1: index and sample disagree about attempts, outcome"


def test_episodes_twice(folder):
    shard, dataset = folder / "episodes-000001.tar", Dataset.open(folder)
    parts = [folder / "a", folder / "b"]
    for part, index in zip(parts, (0, 3), strict=True):
        part.write_bytes(encode_episode(dataset.episode(index), attempts=dataset.rows[index].attempts))
    assemble(shard, parts)
    publish(folder, list(dataset.rows[:2]) + scan(shard, first=2))
    reasons = verify(folder, workers=1)
    assert any("2 episodes share the key" in line for line in reasons)
    assert any("2 episodes share the seed" in line for line in reasons)


def test_counts_that_do_not_add_up(folder):
    change_manifest(folder, steps=3)
    assert "the manifest counts 3 steps" in only(verify(folder, workers=1))


def test_held_out_sentences_in_training(folder):
    from mmil.language.grammar import Grammar

    dataset = Dataset.open(folder)
    held_out = Grammar.load().sentences(dataset.rows[0].goal, "held_out")[0]
    entries = [{**entry, "sentences": [*entry["sentences"], held_out]} for entry in dataset.manifest["sentences"]]
    change_manifest(folder, sentences=entries)
    assert any("near-duplicate" in line and held_out in line for line in verify(folder, workers=1))


class Stuck(Plane):
    """Hangs where nobody did before."""

    def __init__(self, flag):
        super().__init__()
        self.flag = flag

    def step(self, action):
        if not self.flag.exists():
            self.flag.touch()
            time.sleep(600)
        return super().step(action)


def test_a_replay_that_hangs_is_given_to_another_worker(folder, tmp_path):
    scene = partial(Stuck, tmp_path / "flag")
    assert verify(folder, scene=scene, replay=1.0, workers=1, patience=3.0, grammar=grammar) == []
    assert (tmp_path / "flag").exists()


def test_another_scene_cannot_replay(folder):
    class Wider(Plane):
        spec = replace(Plane.spec, control_hz=50.0)

    reasons = verify(folder, scene=Wider, workers=1, patience=None)
    assert "control_hz: 20.0 != 50.0" in only(reasons)


def spoil(folder, change):
    """Put a changed first episode into the first shard, and make index and manifest agree with it."""
    dataset = Dataset.open(folder)
    first, second = (dataset.episode(index) for index in (0, 1))
    parts = [folder / "a", folder / "b"]
    parts[0].write_bytes(encode_episode(replace(first, **change(first)), attempts=dataset.rows[0].attempts))
    parts[1].write_bytes(encode_episode(second, attempts=dataset.rows[1].attempts))
    assemble(folder / "episodes-000000.tar", parts)
    publish(folder, scan(folder / "episodes-000000.tar", first=0) + list(dataset.rows[2:]))


def publish(folder, rows):
    (folder / "index.jsonl").write_bytes(encode_rows(rows))
    shards = [shard_entry(path, rows) for path in sorted(folder.glob("*.tar"))]
    totals = {"steps": sum(row.steps for row in rows), "index_sha256": file_sha256(folder / "index.jsonl")}
    change_manifest(folder, shards=shards, **totals)


def change_manifest(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def only(reasons):
    assert len(reasons) == 1, reasons
    return reasons[0]
