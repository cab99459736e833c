"""`mmil evaluate --execute E` and `--ensemble W`: what reaches the runner, what the summary says, what is refused."""

import json
from types import SimpleNamespace

import pytest

import mmil.evaluation.evaluate as verb
from mmil.config import parse
from mmil.contracts import UserError
from mmil.run import RunFolder
from tests.plane import Plane


@pytest.fixture
def evaluate(monkeypatch, tmp_path):
    """`mmil evaluate` of a run whose trials are not played: how it would execute, and what it would say of it."""
    folder = SimpleNamespace(
        path=tmp_path, made_with={"scene": {"class_path": "mmil.scenes.Tabletop"}}, spec=Plane.spec, future=8
    )
    monkeypatch.setattr(verb.RunFolder, "open", lambda path: folder)
    monkeypatch.setattr(verb, "weights_sha256", lambda path: "0")
    played = []

    def play(suites, stage, *, asked, about, **rest):
        played.extend((dict(stage.actor.keywords), {**asked[suite.name], **about}) for suite in suites)
        return {suite.name: {"n": 1} for suite in suites}

    def run(*arguments):
        played.clear()
        asked = [str(tmp_path), "--suite", "seen", "--trials", "1", *arguments]
        verb.evaluate(**parse(verb.evaluate, asked, verb="evaluate", positional=("run",), skip=("tell",)).options)
        return played

    monkeypatch.setattr(verb, "evaluate_suites", play)
    return run


@pytest.mark.parametrize(
    ("arguments", "execute", "ensemble"),
    [((), 4, None), (("--execute", "2"), 2, None), (("--ensemble", "0.01"), 1, 0.01), (("--ensemble=-0.1",), 1, -0.1)],
)
def test_the_runner_and_the_summary_hear_of_it(evaluate, arguments, execute, ensemble):
    ((options, about),) = evaluate(*arguments)
    assert options["ensemble"] == ensemble and options["execute"] == execute
    assert (about["execute"], about["ensemble"]) == (execute, ensemble)


def test_the_policy_computes_where_it_is_told(evaluate):
    assert [evaluate(*told)[0][0]["device"] for told in ((), ("--device", "cuda:1"))] == ["cpu", "cuda:1"]


def test_of_a_shorter_chunk_the_summary_says_how_much_is_done(evaluate):
    folder = verb.RunFolder.open(None)
    folder.future = 2
    ((_, about),) = evaluate()
    assert about["execute"] == 2


def test_a_run_knows_how_many_actions_it_plans(tmp_path):
    def told(**options) -> int:
        node = {"class_path": "mmil.policy.Policy", "init_args": options}
        path = tmp_path / f"run{len(options)}"
        return RunFolder.claim(path, {"algo": {"class_path": "mmil.algos.BC", "init_args": {"policy": node}}}).future

    assert (told(future=3), told()) == (3, 8)
    with pytest.raises(UserError, match="names no policy"):
        _ = RunFolder.claim(tmp_path / "other", {"algo": None}).future


def test_contradictions_are_refused_before_anything_is_played(evaluate):
    with pytest.raises(UserError, match=r"execute 4 and ensemble 0\.01 contradict each other"):
        evaluate("--execute", "4", "--ensemble", "0.01")
    with pytest.raises(UserError, match="how is swap, but nothing is altered"):
        evaluate("--how", "swap")
    for name, value in (("seed", -1), ("horizon", 0), ("trials", 0)):
        with pytest.raises(UserError, match=f"{name} is {value}"):
            evaluate(f"--{name}={value}")
    with pytest.raises(UserError, match="ensemble is nan"):
        evaluate("--ensemble", ".nan")


def test_trials_of_another_suite_are_none_of_this_one(evaluate, tmp_path):
    place = tmp_path / "elsewhere"
    ((_, about),) = evaluate("--out", str(place))
    place.mkdir()
    (place / "summary.json").write_text(json.dumps({**about, "skills": {}}))
    assert not evaluate("--out", str(place))
    with pytest.raises(UserError, match="holds an evaluation of seen, not of paraphrase"):
        evaluate("--suite", "paraphrase", "--out", str(place))
    mine = tmp_path / "mine.yaml"
    mine.write_text("lift: ['fetch the {object}']")
    assert evaluate("--instructions", str(mine))
    mine.write_text("lift: ['put it on the {target}']")
    with pytest.raises(UserError, match=r"lift: 'put it on the \{target\}' names a \{target\}, which nothing has"):
        evaluate("--instructions", str(mine))


@pytest.mark.parametrize(("profile", "left"), [("none", False), ("mild", True)])
def test_cameras_that_stand_where_they_stood_are_no_suite(evaluate, tmp_path, profile, left):
    randomisation = {"profile": profile}
    verb.RunFolder.open(tmp_path).made_with["scene"] = {
        "class_path": "mmil.scenes.Tabletop",
        "init_args": {"image_size": [64, 64], "randomisation": randomisation},
    }
    if left:
        assert evaluate("--suite", "camera")
    else:
        with pytest.raises(UserError, match="camera: its cameras stand where those of the data set stood"):
            evaluate("--suite", "camera")


def test_trials_of_another_execution_are_no_excuse(evaluate, tmp_path):
    ((_, about),) = evaluate("--ensemble", "0.01")
    there = tmp_path / "evaluation" / "seen" / "summary.json"
    there.parent.mkdir(parents=True)
    there.write_text(json.dumps({**about, "skills": {}}))
    assert not evaluate("--ensemble", "0.01")  # they are there
    assert evaluate("--ensemble", "0.02") and evaluate("--execute", "1") and evaluate()
