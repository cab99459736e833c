"""An evaluation that is stopped goes on where it was, and what is asked for otherwise begins anew."""

import json
from functools import partial

import pytest

from mmil.contracts import Goal, Thing, Trial, UserError
from mmil.evaluation import trials as room
from mmil.evaluation.journal import PART, Journal
from mmil.evaluation.stage import Stage, Worker
from mmil.evaluation.suites import load_suite
from mmil.evaluation.trials import evaluate_suites
from tests.plane import Reach
from tests.tiny import SCENE, Desk


def trial(seed: int) -> Trial:
    return Trial("seen", Goal("lift", Thing("cube", "red")), "lift it", seed, "success", 5, None)


def test_what_has_ended_is_there_again_unless_something_else_is_asked(tmp_path):
    journal = Journal(tmp_path / "new", {"n": 3})
    for number in (2, 0):
        journal.add(number, trial(number))
    journal.close()
    path = tmp_path / "new" / PART
    path.write_text(path.read_text() + '{"number": 1, "tri')  # torn
    again = Journal(tmp_path / "new", {"n": 3})
    assert again.done == {2: trial(2), 0: trial(0)}
    again.add(1, trial(1))
    again.close()
    assert sorted(Journal(tmp_path / "new", {"n": 3}).done) == [0, 1, 2]
    other = Journal(tmp_path / "new", {"n": 4})
    assert other.done == {}
    other.end()
    assert not path.exists()


def test_where_no_trial_has_ended_nothing_is_left(tmp_path):
    Journal(tmp_path / "evaluation" / "seen", {}).close()
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").mkdir()
    Journal(tmp_path / "mine", {}).close()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_place_that_cannot_be_is_told_before_any_trial(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"trials cannot be written to .*file"):
        Journal(tmp_path / "file" / "deeper", {})


@pytest.mark.parametrize("names", [("seen",), ("seen", "wrong")])
def test_stopped_trials_are_not_played_again(tmp_path, monkeypatch, names):
    suites = [load_suite(name) for name in names]
    stage = Stage(
        actor=Reach, scene=lambda config: Desk(), config=SCENE, spec=Desk().spec, horizon=24, own=None
    )  # fmt: skip
    run = partial(evaluate_suites, suites, stage, trials=4, seed=0, workers=1, about={"n": 4})
    whole = run(out={name: tmp_path / "whole" / name for name in names})
    played, out = [], {name: tmp_path / "stopped" / name for name in names}

    def stop(self, request):
        if len(played) == 3:
            raise KeyboardInterrupt
        played.append(request)
        return real(self, request)

    real = Worker.run
    monkeypatch.setattr(Worker, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        run(out=out)
    assert (out["seen"] / PART).exists() and not (out["seen"] / "summary.json").exists()
    monkeypatch.setattr(Worker, "run", lambda self, request: played.append(request) or real(self, request))
    made = run(out=out)
    assert len(played) == len(set(played)) == 4 * len(names)
    assert not any((out[name] / PART).exists() for name in names)
    for name in names:
        assert {**made[name], "seconds": 0} == {**whole[name], "seconds": 0}
        lines = [json.loads(line) for line in (out[name] / "trials.jsonl").read_text().splitlines()]
        asked = [json.loads(line) for line in (tmp_path / "whole" / name / "trials.jsonl").read_text().splitlines()]
        assert [{**one, "seconds": 0} for one in lines] == [{**one, "seconds": 0} for one in asked]


def test_a_suite_is_written_as_soon_as_it_is_complete(tmp_path, monkeypatch):
    suites, there = [load_suite(name) for name in ("seen", "wrong")], []
    stage = Stage(actor=Reach, scene=lambda config: Desk(), config=SCENE, spec=Desk().spec, horizon=24, own=None)
    out = {suite.name: tmp_path / suite.name for suite in suites}
    real = room.run_trial

    def look(worker, request):
        if request.suite.name == "wrong":
            there.append((out["seen"] / "summary.json").exists())
        return real(worker, request)

    monkeypatch.setattr(room, "run_trial", look)
    evaluate_suites(suites, stage, trials=2, seed=0, workers=1, out=out, about={})
    assert there[-1]
