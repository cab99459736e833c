"""What a policy goes by: an actor whose inputs are known, and what is found of it."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mmil import commands
from mmil.contracts import Actor, Observation, UserError
from mmil.evaluation import evaluate as verb
from mmil.evaluation.altered import Altered, Change, Props, Tape, changes, inputs, require_possible
from mmil.evaluation.attribution import attribute, write
from mmil.evaluation.journal import Journal
from mmil.evaluation.report import report
from mmil.evaluation.stage import Stage
from mmil.evaluation.suites import load_suite
from mmil.evaluation.tables import attribution_table
from mmil.language.grammar import Grammar
from tests.plane import REACH, RGB, SIZE, STRIDE, Plane

SPEC = Plane.spec
CALLED = {colour: re.compile(rf"\b({'|'.join(said.train)})\b") for colour, said in Grammar.load().colours.items()}
MEANS = {"eef_pos_world": np.array([0.1, 0.2, 0.0]), "wrench": np.arange(6.0)}


class Looks(Actor):
    """Goes where the top camera shows the colour that the sentence names; the hand's position is a signal."""

    def reset(self, seed: int) -> None: ...

    def act(self, observation, state=None):
        named = [rgb for colour, rgb in RGB.items() if CALLED[colour].search(observation.instruction)]
        picture = observation.images["top"].astype(float)
        if not named:
            return np.zeros(3, np.float32)
        rows, columns = np.nonzero(np.abs(picture - named[0]).max(axis=-1) < 12)
        if not len(rows):
            return np.zeros(3, np.float32)
        place = (np.array([columns.mean(), rows.mean()]) * 2 / SIZE - 1) * 2
        offset = (place - observation.signals["eef_pos_world"][:2]) / STRIDE
        near = np.linalg.norm(offset) * STRIDE < REACH / 2
        return np.append(offset / max(1.0, np.abs(offset).max()), 1.0 if near else -1.0).astype(np.float32)


class Eye(Actor):
    """Keeps what it is shown."""

    def __init__(self):
        self.seen: list[Observation] = []

    def reset(self, seed: int) -> None:
        self.seen.clear()

    def act(self, observation, state=None):
        self.seen.append(replace(observation, images={name: observation.images[name] for name in observation.images}))
        return np.zeros(3, np.float32)


def instant(value: int, said: str = "lift it") -> Observation:
    images = {name: np.full(shape, value, np.uint8) for name, shape in SPEC.cameras.items()}
    return Observation(images, {name: np.full(shape, value, np.float32) for name, shape in SPEC.signals.items()}, said)


TAPES = (Tape(1, (instant(1, "one"),), "other one"), Tape(2, (instant(2, "two"), instant(3, "two")), "other two"))


def shown(name, how, *, seed=1, instants=(10, 20, 30), **options):
    eye = Eye()
    actor = Altered(eye, Change(name, how), Props(SPEC, MEANS, TAPES), seed=seed, **options)
    actor.reset(seed)
    for value in instants:
        actor.act(instant(value))
    return eye.seen


def test_a_dropped_input_tells_nothing_and_the_others_stay():
    for one, value in zip(shown("top", "drop"), (10, 20, 30), strict=True):
        assert (one.images["top"] == 128).all() and (one.images["side"] == value).all()
        assert (one.signals["wrench"] == value).all() and one.instruction == "lift it"
    one = shown("wrench", "drop")[0]
    assert one.signals["wrench"].shape == (4, 6) and (one.signals["wrench"] == np.arange(6)).all()
    assert one.signals["wrench"].dtype == np.float32 and (one.signals["eef_pos_world"] == 10).all()
    assert shown("signals", "drop")[1].signals["eef_pos_world"] == pytest.approx([0.1, 0.2, 0.0])
    assert {one.instruction for one in shown("sentence", "drop")} == {""}
    assert all((picture == 128).all() for picture in shown("cameras", "drop")[2].images.values())


def test_a_frozen_input_stays_as_it_began():
    assert [int(one.images["side"][0, 0, 0]) for one in shown("side", "freeze")] == [10, 10, 10]
    assert [int(one.images["top"][0, 0, 0]) for one in shown("side", "freeze")] == [10, 20, 30]
    assert int(shown("side", "freeze", first=instant(5))[0].images["side"][0, 0, 0]) == 5


def test_a_shuffled_input_is_another_trials_and_the_same_each_time():
    values = [int(one.signals["wrench"][0, 0]) for one in shown("wrench", "shuffle", instants=range(10, 40))]
    assert set(values) == {2, 3}  # never its own
    assert values == [int(one.signals["wrench"][0, 0]) for one in shown("wrench", "shuffle", instants=range(10, 40))]
    assert {one.instruction for one in shown("sentence", "shuffle")} == {"two"}
    assert {one.instruction for one in shown("sentence", "swap", instead="lift that")} == {"lift that"}
    with pytest.raises(UserError, match="two trials or more"):
        Altered(Eye(), Change("top", "shuffle"), Props(SPEC, MEANS, TAPES[:1]), seed=1)


def test_what_nobody_looks_at_is_not_rendered():
    scene = Plane()
    actor = Altered(SimpleNamespace(reset=lambda seed: None, act=lambda *_: np.zeros(3)), Change("top", "drop"),
                    Props(SPEC, MEANS), seed=0)  # fmt: skip
    actor.reset(0)
    actor.act(scene.reset(0).observation)
    assert scene.renders == 0


def test_inputs_are_those_of_the_data():
    assert set(inputs(SPEC)) == {
        "top",
        "side",
        "cameras",
        "signals",
        "wrench",
        "sentence",
        "everything",
        "eef_pos_world",
    }
    bare = replace(SPEC, signals={"camera_top": (8,)})
    assert "wrench" not in inputs(bare) and inputs(bare)["poses"] == ("camera_top",) and "signals" not in inputs(bare)
    assert not [one for one in changes(bare) if one.input in ("wrench", "signals")]
    for change, reason in (
        (Change("frnt", "drop"), r"no input 'frnt' in the data of this run; there are top, side, cameras"),
        (Change("top", "swap"), "only the sentence can be swapped"),
        (Change("sentence", "freeze"), "the same all through a trial"),
    ):
        with pytest.raises(UserError, match=reason):
            require_possible(change, SPEC)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    stage = Stage(
        actor=Looks,
        scene=lambda node: Plane(windy=0.0),
        config={"class_path": "any", "init_args": {}},
        spec=SPEC,
        horizon=24,
        own=None,
        props=Props(SPEC, {name: np.zeros(shape[-1]) for name, shape in SPEC.signals.items()}),
    )
    journal = Journal(tmp_path_factory.mktemp("attribution"), {})
    return attribute(load_suite("seen"), stage, trials=6, seed=1, workers=1, patience=None, actions=2, journal=journal)


def test_attribution_finds_what_the_actor_goes_by(study):
    summary, lines = study
    rows = {(row["input"], row["how"]): row for row in summary["rows"]}
    used = {name for name, _ in rows if rows[name, "shuffle"]["used"]}
    assert used == {"top", "cameras", "signals", "sentence", "everything"}
    assert summary["intact"]["successes"] >= 5 and summary["absent"] == []
    assert rows["side", "drop"]["action_change"] == 0.0 and "points" not in rows["side", "drop"]
    for name, how in (("top", "drop"), ("top", "shuffle"), ("sentence", "drop"), ("sentence", "swap")):
        row = rows[name, how]
        assert row["rate"] < 0.5 and row["points"] < -40 and row["points_high"] < 0 and row["action_change"] > 0.05
    # a still table and still things: the first picture is as good as any
    assert rows["top", "freeze"]["points"] == 0.0
    assert rows["top", "freeze"]["action_change"] < rows["top", "shuffle"]["action_change"]
    intact = [line for line in lines if line["input"] is None]
    swapped = [line for line in lines if line["how"] == "swap"]
    assert [one["seed"] for one in intact] == [one["seed"] for one in swapped]
    assert all(a["goal"] == b["goal"] and a["instruction"] != b["instruction"]
               for a, b in zip(intact, swapped, strict=True))  # fmt: skip


def test_the_table_and_the_page_say_what_is_no_input(study, tmp_path):
    summary, lines = study
    table = "\n".join(attribution_table({"seen": {**summary, "absent": ["wrench"]}}))
    assert table.count("is no input of this policy") == 6 and "wrench: the data have none" in table
    (tmp_path / "config.yaml").write_text("a: 1\n")
    write(tmp_path / "attribution" / "seen", {**summary, "absent": ["<b>wrench"]}, lines)
    text = report([tmp_path]).read_text()
    assert "What it goes by" in text and "is no input of this policy" in text and "&lt;b&gt;wrench" in text
    assert text.count('class="whisker"') == sum("points" in row for row in summary["rows"])
    for broken in ({**summary, "rows": [{"input": 3}]}, {**summary, "intact": {}}, {"rows": []}):
        write(tmp_path / "attribution" / "seen", json.loads(json.dumps(broken)), [])
        text = html.unescape(report([tmp_path]).read_text())
        assert "attribution of seen: summary.json is none" in text and "<h2>What it goes by" not in text


def folder(tmp_path, monkeypatch):
    moments = {name: SimpleNamespace(mean=np.zeros(shape[-1])) for name, shape in SPEC.signals.items()}
    node = {"class_path": "tests.plane.Plane", "init_args": {}}
    found = SimpleNamespace(
        path=tmp_path, spec=SPEC, future=8, made_with={"scene": node}, stats=SimpleNamespace(signals=moments)
    )
    monkeypatch.setattr(verb.RunFolder, "open", lambda path: found)
    monkeypatch.setattr(verb, "weights_sha256", lambda path: "0")
    monkeypatch.setattr(verb, "load_runner", lambda path, **execution: Looks())
    monkeypatch.setattr(verb, "build_scene", lambda node: Plane(windy=0.0))
    return found


def test_a_suite_without_an_input_lies_beside_its_own(tmp_path, monkeypatch, capsys):
    folder(tmp_path, monkeypatch)
    monkeypatch.setattr("mmil.evaluation.evaluate.DONORS", 2)
    options = {"suite": "seen", "trials": 2, "workers": 1, "patience": None}
    whole = verb.evaluate(tmp_path, **options)["seen"]
    for how, name in (("drop", "seen-without-top"), ("shuffle", "seen-top-shuffle")):
        (made,) = verb.evaluate(tmp_path, without="top", how=how, **options).values()
        assert made["suite"] == name and made["altered"] == {"input": "top", "how": how}
        assert (tmp_path / "evaluation" / name / "trials.jsonl").exists() and made["successes"] < whole["successes"]
    with pytest.raises(UserError, match="no input 'frnt'"):
        verb.evaluate(tmp_path, without="frnt", **options)
    with pytest.raises(UserError, match="leave --without top out"):
        verb.evaluate(tmp_path, without="top", attribution=True, **options)
    with pytest.raises(UserError, match="trials is 0"):
        verb.evaluate(tmp_path, suite="seen", trials=0)
    told = ["--workers", "1", "--patience", "null", "--trials", "2"]
    assert commands.evaluate([str(tmp_path), "--attribution", *told]) == 0
    said = capsys.readouterr().out
    assert "seen: intact" in said and "is no input of this policy" in said and "mmil report" in said
    assert json.loads((tmp_path / "attribution" / "seen" / "summary.json").read_text())["intact"]["n"] == 2
