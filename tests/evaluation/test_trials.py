"""Suites and trials with a real scene: what is told, what is judged, what is written."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from mmil.config import build_scene
from mmil.contracts import Actor, Goal, Trial, UserError
from mmil.evaluation.suites import Suite, choose, load_suite
from mmil.evaluation.trials import Stage, evaluate_suites
from mmil.experts import Lift
from mmil.language.grammar import Grammar
from mmil.scenes import Tabletop
from mmil.seeds import episode_seed, trial_seed

SCENE = {
    "class_path": "mmil.scenes.Tabletop",
    "init_args": {"image_size": [64, 64], "randomisation": {"cameras": "train"}},
}


@dataclass(frozen=True)
class Still(Actor):
    """Does nothing."""

    def reset(self, seed: int) -> None: ...

    def act(self, observation, state=None) -> np.ndarray:
        return np.zeros(7, np.float32)


def stage(actor=Lift, **options) -> Stage:
    spec = Tabletop(image_size=(64, 64)).spec
    return Stage(actor=actor, scene=build_scene, config=SCENE, spec=spec, **{"horizon": 80, "own": None, **options})


def run(names, folder, *, trials=2, **options):
    suites = [load_suite(name) for name in names]
    out = {suite.name: folder / suite.name for suite in suites}
    return evaluate_suites(suites, stage(**options), trials=trials, seed=0, workers=1, out=out, about={}), out


def test_the_expert_obeys_whatever_it_is_told(tmp_path):
    summaries, out = run(["seen", "wrong", "camera"], tmp_path)
    assert {name: s["successes"] for name, s in summaries.items()} == {"seen": 2, "wrong": 2, "camera": 2}
    lines = {name: [json.loads(line) for line in (out[name] / "trials.jsonl").read_text().splitlines()] for name in out}
    for name, rows in lines.items():
        for row in rows:
            trial = Trial.from_json(row)
            assert trial.suite == name and trial.taken == str(trial.goal.object) and trial.steps > 10
        (film,) = (out[name] / "videos").iterdir()  # one of each outcome and worker
        assert film.stem in {f"{row['seed']}-success" for row in rows} and film.stat().st_size > 1000
    # the layouts of `wrong` are those of `seen`, asked for something else
    for seen, wrong in zip(lines["seen"], lines["wrong"], strict=True):
        assert seen["seed"] == wrong["seed"] and seen["goal"] != wrong["goal"]
    assert (
        json.loads((out["camera"] / "summary.json").read_text())["scene"]["init_args"]["randomisation"]["cameras"]
        == "held_out"
    )


def test_who_does_nothing_runs_out_of_time(tmp_path):
    summaries, _ = run(["null"], tmp_path, trials=1, actor=Still, horizon=5)
    assert summaries["null"]["outcomes"]["timeout"] == 1 and summaries["null"]["successes"] == 0


def test_another_spec_is_refused_with_the_lines_that_differ(tmp_path):
    other = Tabletop(image_size=(96, 64)).spec
    bad = Stage(actor=Lift, scene=build_scene, config=SCENE, spec=other, horizon=80, own=None)
    with pytest.raises(UserError, match=r"cameras\.front: \[64, 64, 3\] != \[96, 64, 3\]"):
        evaluate_suites([load_suite("seen")], bad, trials=1, seed=0, workers=1, out={"seen": tmp_path}, about={})
    assert not (tmp_path / "summary.json").exists()


GOALS = tuple(
    Goal.from_json({"verb": "lift", "object": {"shape": "cube", "colour": c}}) for c in ("red", "blue", "green")
)


def test_what_is_said_in_each_suite():
    grammar = Grammar.load()

    def said(name, **options):
        return [
            choose(load_suite(name), seed=s, drawn=GOALS[0], goals=GOALS, grammar=grammar, **options) for s in range(40)
        ]

    assert {goal for goal, _, _ in said("seen")} == {GOALS[0]} and {goal for goal, _, _ in said("wrong")} == set(
        GOALS[1:]
    )
    assert all(grammar.says(sentence, goal, "train") for goal, sentence, _ in said("seen"))
    assert all(grammar.says(sentence, goal, "held_out") for goal, sentence, _ in said("paraphrase"))
    assert {sentence for _, sentence, _ in said("null")} <= set(grammar.null)
    own = said("seen", own={"lift": ["could you fetch the {object}", "{colour} {shape}, up!"]})
    assert {sentence for _, sentence, _ in own} == {"could you fetch the red cube", "red cube, up!"}


def test_trial_seeds_are_never_episode_seeds():
    episodes = {episode_seed(seed, index) for seed in range(3) for index in range(200)}
    trials = {
        load_suite(name).seed(seed, index)
        for name in ("seen", "paraphrase")
        for seed in range(3)
        for index in range(200)
    }
    assert not episodes & trials and len(trials) == 1200
    assert Suite(name="wrong", layouts="seen").seed(0, 1) == trial_seed("seen", 0, 1)
