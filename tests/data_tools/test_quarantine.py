"""What is no demonstration is set aside with its reason and counted; nobody can tell by the bytes who found it out."""

import functools
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from mmil.contracts import Infeasible, UserError
from mmil.data.dataset import Dataset
from mmil.seeds import episode_seed
from tests.plane import Plane, build, files


class Ill(Plane):
    """Some seeds measure nonsense, some have no room; the others are those of Plane."""

    def reset(self, seed):
        self.luck = seed // 2 % 5
        if self.luck == 0:
            raise Infeasible("no room for 3 things; ask for fewer")
        return super().reset(seed)

    def _result(self, outcome):
        step = super()._result(outcome)
        wrong = {1: np.nan, 2: 50.0}.get(self.luck)
        if wrong is not None and self._elapsed == 1:
            step.observation.signals["eef_pos_world"][:] = wrong
        return step


class Unmeasured(Plane):
    @property
    def measures(self):
        return {"peak_force": np.inf if self._draws["things"][0][0] > 0 else 1.0}


@pytest.fixture(scope="module")
def ill(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ill") / "plane"
    build(folder, scene=Ill)
    return folder


def test_nonsense_is_put_into_quarantine_with_its_reason(ill):
    dataset = Dataset.open(ill)
    lines = [json.loads(line) for line in (ill / "quarantine.jsonl").read_text().splitlines()]
    reasons = {line["reason"] for line in lines}
    assert reasons == {
        "eef_pos_world holds a NaN or an infinity",
        "signal eef_pos_world reaches 50, more than 10",
    }
    for line in lines:
        assert line["seed"] == episode_seed(5, line["index"], line["attempt"]) and line["verb"] == "lift"
        assert line["attempt"] < dataset.rows[line["index"]].attempts - 1
    assert {row.seed for row in dataset.rows}.isdisjoint(line["seed"] for line in lines)
    assert all(np.abs(dataset.episode(i).signals["eef_pos_world"]).max() < 10 for i in range(len(dataset)))


def test_the_manifest_counts_every_attempt(ill):
    manifest = Dataset.open(ill).manifest
    counts, quarantined = manifest["attempts"], len((ill / "quarantine.jsonl").read_text().splitlines())
    assert manifest["quarantined"] == counts["lift"]["quarantined"] == quarantined > 0
    assert manifest["infeasible"] == {"no room for 3 things; ask for fewer": counts["none"]["infeasible"]}
    assert sum(counts["lift"].values()) + counts["none"]["infeasible"] == manifest["failed_attempts"] + 7
    assert counts["lift"]["success"] == 7


def test_what_is_set_aside_depends_on_no_worker_and_no_kill(ill, tmp_path):
    build(tmp_path / "two", scene=Ill, workers=2)
    assert files(tmp_path / "two") == files(ill)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "resumed", scene=functools.partial(Interrupted, 12))
    assert list((tmp_path / "resumed").rglob("*.part"))
    build(tmp_path / "resumed", scene=Ill)
    assert files(tmp_path / "resumed") == files(ill)


def test_a_measure_that_is_no_number_is_one_more_reason(tmp_path):
    build(tmp_path, scene=Unmeasured)
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert set(reasons) == {"peak_force holds a NaN or an infinity"}


class Solved(Plane):
    """Some seeds are solved as they are drawn."""

    def tell(self, goal, instruction):
        step = super().tell(goal, instruction)
        return replace(step, outcome="success") if self._draws["things"][0][0] > 0 else step


def test_what_is_solved_before_the_first_step_is_no_demonstration(tmp_path):
    build(tmp_path, scene=Solved)
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert set(reasons) == {"it was over before the first step"}
    assert all(row.steps for row in Dataset.open(tmp_path).rows)


class Interrupted(Ill):
    """Ctrl-C at some reset."""

    def __init__(self, resets):
        super().__init__()
        self.resets = resets

    def reset(self, seed):
        self.resets -= 1
        if self.resets == 0:
            raise KeyboardInterrupt
        return super().reset(seed)


def test_a_scene_without_room_is_told_after_every_attempt(tmp_path):
    class Crowded(Plane):
        def reset(self, seed):
            raise Infeasible("no room for 40 things; ask for fewer")

    with pytest.raises(UserError, match=r"no success in 4 attempts \(infeasible 4\): no room for 40 things; ask for"):
        build(tmp_path, scene=Crowded, max_attempts=4)


def test_a_mistake_in_the_config_stops_at_once(tmp_path):
    class Wrong(Plane):
        def reset(self, seed):
            raise UserError("40 things on the table, expected 2 to 12")

    with pytest.raises(UserError, match=r"^40 things on the table, expected 2 to 12$"):
        build(tmp_path, scene=Wrong)


def test_what_is_said_at_the_end(ill):
    first, *rest = build(ill, scene=Ill).lines()
    assert first.startswith(f"{ill}: 7 episodes, ") and first.endswith("(finished before)")
    assert re.fullmatch(r"  lift +\d+\.\d % \[.*\] \(7/\d+\)", rest[0])
    assert (
        "in quarantine" in rest[1]
        and "quarantine.jsonl" in rest[1]
        and rest[2].endswith("made no scene: no room for 3 things; ask for fewer")
    )
