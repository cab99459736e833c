"""Rungs of guidance: one clone, one budget, the same trials, and a figure of them side by side."""

from __future__ import annotations

import json

import pytest

from mmil.contracts import UserError
from mmil.evaluation.report import report
from mmil.reinforcing import SAC, Budget, Guidance, Ladder
from mmil.reinforcing.experience import Round
from mmil.reinforcing.ladder import RUNGS, steps_to
from mmil.run import RunFolder
from tests.reinforcing.tried import course
from tests.toy import demonstrated

BUDGET = Budget(steps=60, episodes=2, trials=2, every=1000, patience=None)
LEARNER = {"class_path": "mmil.reinforcing.SAC", "init_args": {"updates": 0.5, "width": 16}}


def test_every_rung_begins_with_one_clone_and_ends_on_the_same_trials(tmp_path):
    data, out = demonstrated(tmp_path / "data", episodes=4), tmp_path / "run"
    where = course(data, out, learner=LEARNER)
    rungs = {"scratch": Guidance(cloned=False), "hybrid": Guidance(shown=0.5, imitation=1.0)}
    lines = Ladder(learner=SAC, budget=BUDGET, rungs=rungs, trials=2, workers=1).learn(where)
    assert [line.split()[0] for line in lines] == ["cloned", "scratch", "hybrid"]
    curves = json.loads((out / "curves.json").read_text())
    assert list(curves) == list(rungs) and all(rows[-1]["steps"] >= BUDGET.steps for rows in curves.values())
    begun = [RunFolder.open(out / name).config["interaction"]["init_args"] for name in rungs]
    assert {one["run"] for one in begun} == {str(out / "cloned")}
    assert [one["guidance"]["cloned"] for one in begun] == [False, True]
    assert RunFolder.open(out).finished
    page = report([out]).read_text()
    assert "Learnt by trying" in page and "hybrid" in page


def test_steps_to_a_level_are_those_made_before_the_trials():
    told = [(100, 1), (200, 5), (300, 5)]
    rounds = [Round(steps, 4, 0, 4, {"n": 5, "successes": reached}) for steps, reached in told]
    assert steps_to(rounds, 0.2) == 0 and steps_to(rounds, 0.9) == 100 and steps_to(rounds[:1], 0.9) is None


@pytest.mark.parametrize(
    ("wrong", "said"), [({"rungs": {}}, "rungs are none"), ({"level": 1.5}, "level"), ({"trials": 0}, "trials")]
)
def test_what_makes_no_sense_is_refused(wrong, said):
    with pytest.raises(UserError, match=said):
        Ladder(learner=SAC, budget=BUDGET, **wrong)


def test_only_what_is_from_scratch_has_no_help():
    assert RUNGS["scratch"] == Guidance(cloned=False) and not RUNGS["scratch"].shows
    assert all(one.cloned or one.shows or one.led for name, one in RUNGS.items() if name != "scratch")
