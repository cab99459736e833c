"""DAgger: rounds of acting, labelling and training, each on disk, and the same however often they are stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmil.algos import DAgger
from mmil.algos.interaction import Course
from mmil.asking import Disagreement, Novelty
from mmil.config import expert_of
from mmil.contracts import UserError, flags_of
from mmil.data.dataset import Dataset
from mmil.data.shards import file_sha256
from mmil.evaluation.report import report
from mmil.run import RunFolder
from tests.tiny import data_set
from tests.toy import demonstrated, mmil, training

ROUNDS = {"rounds": 2, "episodes": 4, "epochs": 1, "trials": 4, "beta": 0.5}


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory) -> Path:
    return demonstrated(tmp_path_factory.mktemp("toy") / "data")


def course(data: Path, out: Path, run=mmil) -> Course:
    out.mkdir(parents=True, exist_ok=True)
    RunFolder.claim(out, config := training(out.parent))
    return Course(data, out, config, {}, run)


@pytest.fixture(scope="module")
def whole(demonstrations, tmp_path_factory) -> Path:
    """Never stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    DAgger(**ROUNDS).learn(course(demonstrations, out))
    return out


def test_shares_of_the_expert_by_round():
    assert DAgger(rounds=4, beta=0.8, schedule="linear").betas() == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert DAgger(rounds=3, beta=0.5, schedule="exponential").betas() == [0.5, 0.25, 0.125]
    assert DAgger(rounds=2, beta=0.3, schedule="constant").betas() == [0.3, 0.3]
    for wrong in ({"beta": 1.2}, {"rounds": 0}, {"episodes": 0}, {"hold": 0.5}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            DAgger(**wrong)


def test_a_round_is_the_last_ones_policy_labelled_and_learnt_with_all_before(whole, demonstrations):
    for number in (1, 2):
        before = whole / "rounds" / str(number - 1) / "run"
        data = Dataset.open(whole / "rounds" / str(number) / "data")
        assert {data.episode(i).provenance["policy"] for i in range(4)} == {file_sha256(before / "model.safetensors")}
        assert {row.quality for row in data.rows} == {"visited"} and len(data) == 4
        learnt = RunFolder.open(whole / "rounds" / str(number) / "run").data
        assert len(learnt["more"]) == number and learnt["start"]["run"] == str(before)
    places = [demonstrations, *(whole / "rounds" / str(number) / "data" for number in (1, 2))]
    keys = [row.key for place in places for row in Dataset.open(place).rows]
    assert len(set(keys)) == len(keys) == 16  # layouts of their own


def test_what_is_left_is_the_last_rounds_policy_and_how_it_went(whole):
    last = whole / "rounds" / "2" / "run"
    assert file_sha256(whole / "model.safetensors") == file_sha256(last / "model.safetensors")
    assert RunFolder.open(whole).finished
    first, one, two, control = json.loads((whole / "rounds.json").read_text())
    assert [row["name"] for row in (first, one, two, control)] == ["cloning", "round 1", "round 2", "control"]
    steps = [Dataset.open(whole / "rounds" / str(n) / "data").manifest["steps"] for n in (1, 2)]
    assert (first["labels"], one["labels"], two["labels"]) == (0, steps[0], sum(steps))
    assert control["labels"] >= two["labels"] and {row["n"] for row in (first, one, two, control)} == {4}
    assert 0.5 < control["steps"] / two["steps"] < 2
    page = report([whole]).read_text()
    assert "Round by round" in page and "as many labels of the expert" in page


def test_stopped_again_and_again_it_ends_as_if_it_had_not_been(demonstrations, whole, tmp_path):
    """Before its n-th command; those within go on by themselves, which their own tests show."""
    out = tmp_path / "run"
    for stop in (1, 4, 7):
        left = iter(range(stop))

        def until(arguments: Sequence[str], left=left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            mmil(arguments)

        with pytest.raises(KeyboardInterrupt):
            DAgger(**ROUNDS).learn(course(demonstrations, out, until))
        assert not RunFolder(out).finished
    DAgger(**ROUNDS).learn(course(demonstrations, out))
    assert (out / "rounds.json").read_bytes() == (whole / "rounds.json").read_bytes()
    assert file_sha256(out / "model.safetensors") == file_sha256(whole / "model.safetensors")


def test_data_that_name_no_expert_are_refused(tmp_path):
    data = data_set(tmp_path / "data", episodes=2)  # by tools that tell of the scene alone
    with pytest.raises(UserError, match="by which expert"):
        course(data, tmp_path / "run")


@pytest.mark.parametrize("option", [{"qualities": ["expert"]}, {"episodes": 4}, {"target": "actions"}])
def test_options_by_which_nothing_would_be_learnt_of_a_round_are_refused(demonstrations, tmp_path, option):
    told = course(demonstrations, tmp_path / "run")
    with pytest.raises(UserError, match=f"{next(iter(option))} is"):
        replace(told, training={**told.training, **option})
    with pytest.raises(UserError, match="no suite 'sen'"):
        DAgger(suite="sen")


def test_who_labels_a_mixture_is_its_expert(demonstrations, tmp_path):
    expert = {"class_path": "mmil.experts.Straight"}
    mixture = {"class_path": "mmil.rollout.Mixture", "init_args": {"expert": expert, "novice": {}}}
    assert expert_of({"expert": None, "actor": mixture}, where="they") == expert
    assert expert_of({"expert": expert, "actor": mixture}, where="they") == expert
    assert expert_of({"actor": expert}, where="they") == expert
    with pytest.raises(UserError, match="they do not say"):
        expert_of({}, where="they")


def test_a_rule_asks_within_its_budget(demonstrations, tmp_path):
    rule = {"class_path": "mmil.asking.Novelty", "init_args": {"points": 16}}
    told = {**ROUNDS, "rounds": 3, "share": 0.8, "labels": 40, "pilot": 4, "control": False}
    out = tmp_path / "run"
    DAgger(**told, rule=Novelty(points=16)).learn(replace(course(demonstrations, out), itself={"rule": rule}))
    rows = json.loads((out / "rounds.json").read_text())
    labels = [row["labels"] for row in rows]
    assert labels == sorted(labels) and 0 < labels[1] <= labels[-1] <= 40
    first = Dataset.open(out / "rounds" / "1" / "data")
    assert sum(row.labels for row in first.rows) == labels[1] < first.manifest["steps"]
    episode = first.episode(0)
    asked = flags_of(episode.labelled, len(episode.actions))
    assert np.array_equal(episode.labels[~asked], episode.actions[~asked])
    assert (episode.labels != episode.actions).any()
    # stopped and gone on from, it is what it was: what was measured once is kept
    kept = (out / "rounds" / "1" / "asked.json").read_bytes()
    (out / "train.json").unlink()
    DAgger(**told, rule=Novelty(points=16)).learn(replace(course(demonstrations, out), itself={"rule": rule}))
    assert (out / "rounds" / "1" / "asked.json").read_bytes() == kept and RunFolder(out).finished


def test_heads_that_part_ask(demonstrations, tmp_path):
    out, rule = tmp_path / "run", {"class_path": "mmil.asking.Disagreement"}
    begun = course(demonstrations, out)
    algo = json.loads(json.dumps(begun.training["algo"]))
    head = {"class_path": "mmil.heads.Ensemble", "init_args": {"members": 2}}
    algo["init_args"]["policy"]["init_args"]["head"] = head
    begun = replace(begun, training={**begun.training, "algo": algo}, itself={"rule": rule})
    told = {**ROUNDS, "rounds": 1, "pilot": 4, "share": 0.5, "control": False}
    DAgger(**told, rule=Disagreement()).learn(begun)
    rows = Dataset.open(out / "rounds" / "1" / "data").rows
    assert 0 < sum(row.labels for row in rows) < sum(row.steps for row in rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": 0, "rule": Novelty()}, "labels is 0"),
        ({"labels": 100}, "no rule says where to ask"),
        ({"share": 0.0}, "share is 0"),
    ],
)
def test_budgets_that_cannot_be_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        DAgger(**options)
