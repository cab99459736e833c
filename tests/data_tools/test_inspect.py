"""The card of a real, small data set: what it counts is what is there."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from data_tools.inspect import inspect
from data_tools.verify import verify
from mmil.contracts import Goal, Thing, UserError
from mmil.data.dataset import FORMAT, Dataset
from mmil.data.sample import encode_episode
from mmil.data.shards import assemble, encode_rows, file_sha256, scan, shard_entry
from mmil.rollout import rollout
from tests.plane import HORIZON, THINGS, Plane, Reach, build

HOSTILE = "<script>alert(1)</script> & the {object}"


class Hostile:
    """A speaker that nobody should trust."""

    def sample(self, goal, split, rng, **scene):
        return HOSTILE

    def sentences(self, goal, split):
        return (HOSTILE, '<img src="https://example.org/x.png">')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "plane"
    build(path, episodes=9)
    return path


@pytest.fixture(scope="module")
def card(folder):
    return inspect(folder).read_text()


def test_card_is_one_file_with_one_script_that_its_policy_knows(card):
    loads = re.findall(r'(?:src|href|poster)="([^"]*)"', card) + re.findall(r"url\(([^)]*)\)", card)
    assert loads and all(address.startswith("data:image/jpeg") for address in loads)
    assert not re.search(r"@import|https?:", card)
    (script,) = re.findall(r"<script>(.*?)</script>", card, re.DOTALL)
    known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{known}'" in html.unescape(card) and "unsafe-eval" not in card


def test_card_counts_what_is_there(folder, card):
    dataset = Dataset.open(folder)
    steps = sum(row.steps for row in dataset.rows)
    failed = dataset.manifest["failed_attempts"]
    assert "<b>9</b><span>episodes</span>" in card and f"<b>{steps}</b><span>steps</span>" in card
    assert f"<b>{failed}</b><span>failed attempts, left out</span>" in card
    assert f"succeeded in 9 of {9 + failed} cases" in card
    assert html.escape(dataset.rows[0].instruction) in card
    low = min(dataset.episode(i).signals["eef_pos_world"][:, 1].min() for i in range(9))
    assert f"{low:.3f}".replace("-", "−") in card
    assert "wrench (force x, force y, force z, torque x, torque y, torque z) never changes" in card
    assert "0 of 24" in card  # held-out templates of lift, of which none was said


def test_hostile_sentences_stay_text(tmp_path):
    build(tmp_path / "data", episodes=2, grammar=Hostile)
    text = inspect(tmp_path / "data", out=tmp_path / "card.html").read_text()
    assert text.count("<script") == 1 and "<script>alert" not in text and '<img src="https' not in text
    assert html.escape("<script>alert(1)</script> &") in text


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a data set"):
        inspect(tmp_path)
    assert not list(tmp_path.iterdir())


# -- all kinds of data sets --------------------------------------------------------------------------------------------


VERBS = ["lift", "place", "stack", "push", "put", "reach", "open", "close", "press", "flip", "wipe", "insert"]


class Busy(Plane):
    """Many verbs, targets, relations and manners, and things without a colour; touched all the same."""

    @property
    def goals(self):
        manners = (None, "slowly", "gently")
        return tuple(
            Goal(verb, thing, manner=manner, **({"target": Thing("milk"), "relation": "in"} if at % 3 == 1 else {}))
            for at, verb in enumerate(VERBS) for thing in THINGS for manner in manners
        )  # fmt: skip

    def reset(self, seed):
        super().reset(seed)
        self._goal = self.goals[np.random.default_rng(seed + 1).integers(len(self.goals))]
        return self._result(None)

    @property
    def measures(self):
        much = {"slowly": 0.5, "gently": 0.9, None: 1.0}[self._goal.manner]
        return {"path_speed": 0.2 * much, "peak_force": 10.0 * much}


class Blunt:
    """Says the goal as it is."""

    def sample(self, goal, split, rng, **scene):
        return str(goal)


def test_a_card_of_many_skills(tmp_path):
    build(tmp_path / "data", scene=Busy, grammar=Blunt, episodes=40, per_shard=40)
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    manifest["attempts"] = {verb: {"success": 17, "timeout": 3} for verb in VERBS} | {"odd": "junk", "none": {}}
    (tmp_path / "data" / "manifest.json").write_text(json.dumps(manifest))
    text = inspect(tmp_path / "data", out=tmp_path / "card.html").read_text()
    told = {row.goal.verb for row in Dataset.open(tmp_path / "data").rows}
    assert all(f"<b>{verb}</b>" in text for verb in told) and "17 of 20, 85.0 %" in text
    assert "0.50×" in text and '<span class="flag">0.90×</span>' in text  # gently, and hardly any gentler
    assert "milk" in text and f"{len(told)}</b><span>skills</span>" in text


def foreign(folder, **changes):
    """As mmil convert makes them: a sentence for a goal, no things, no draws, no states, no measures."""
    cameras = changes.pop("cameras", Plane.spec.cameras)
    spec = replace(Plane.spec, scene="elsewhere", privileged={}, versions={}, cameras=cameras)
    parts = []
    for seed in range(0, 8, 2):
        episode = rollout(Plane(), Reach(), seed=seed, horizon=HORIZON)
        text = f"wipe the pan {seed % 4} & <b>dry it</b>"
        parts.append(folder / f"{seed}.part")
        bare = {name: {} for name in ("draws", "measures", "privileged", "provenance")}
        bare |= {"states": np.zeros((len(episode.states), 0)), "goal": Goal("do", Thing(text)), "instruction": text}
        images = {name: episode.images[name] for name in spec.cameras}
        episode = replace(episode, scene="elsewhere", images=images, things=(), **{**bare, **changes})
        parts[-1].write_bytes(encode_episode(episode, attempts=1))
    assemble(folder / "episodes-000000.tar", parts)
    rows = scan(folder / "episodes-000000.tar", first=0)
    (folder / "index.jsonl").write_bytes(encode_rows(rows))
    said = [{"goal": goal.to_json(), "sentences": [goal.object.shape]} for goal in {row.goal for row in rows}]
    manifest = {
        **{"format": FORMAT, "spec": spec.to_json(), "config": {}, "episodes": 4, "failed_attempts": 0},
        "shards": [shard_entry(folder / "episodes-000000.tar", rows)],
        "sentences": said,
        "steps": sum(row.steps for row in rows),
        "index_sha256": file_sha256(folder / "index.jsonl"),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("changes", [{}, {"cameras": {}}], ids=["pictures", "no pictures"])
def test_a_card_of_what_came_from_elsewhere(tmp_path, changes):
    text = inspect(foreign(tmp_path, **changes)).read_text()
    assert "2 sentences that are goals themselves" in text and html.escape("& <b>dry it</b>") in text
    assert "What was asked for" not in text and "<b>do</b>" in text
    assert verify(tmp_path, workers=1) == []


def test_a_zero_wrench_and_no_light_are_no_obstacle(tmp_path):
    nothing = {name: np.zeros((0, 3), np.float32) for name in ("actions", "labels")}
    nothing |= {"rewards": np.zeros(0, np.float32), "states": np.zeros((1, 0))}
    signals = {"eef_pos_world": np.zeros((1, 3)), "wrench": np.zeros((1, 4, 6))}
    text = inspect(foreign(tmp_path, signals=signals, cameras={}, **nothing)).read_text()
    assert "wrench (force x" in text and "<b>0</b><span>steps</span>" in text
