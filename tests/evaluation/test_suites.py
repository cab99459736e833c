"""Which goals a suite asks for: those of training, or the compositions that were held out of it."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest

from mmil.contracts import Trial, UserError
from mmil.evaluation import evaluate as verb
from mmil.evaluation import suites
from mmil.evaluation.suites import Suite, aim, choose, load_suite, suite_names
from mmil.evaluation.trials import Stage, evaluate_suites
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar
from tests.plane import Reach
from tests.sorting import EVERY, Sorting

HELD = Compositions.parse([{"verb": "lift", "colour": "red"}, {"verb": "touch", "colour": "blue"}])
ONE = Compositions(HELD.held_out[:1])  # two of three layouts offer it
COMPOSITION = load_suite("composition")
GRAMMAR = Grammar.load()


def said(suite: Suite, *, held=HELD, goals=EVERY, count=60):
    return [choose(suite, seed=seed, drawn=EVERY[0], goals=goals, grammar=GRAMMAR, held=held) for seed in range(count)]


def test_held_out_goals_are_asked_for_in_their_own_suite_and_nowhere_else():
    held_out = HELD.of_split(EVERY, "held_out")
    assert len(held_out) == 2
    counts = Counter(goal for goal, _, _ in said(COMPOSITION))
    assert set(counts) == set(held_out) and min(counts.values()) > 15  # each composition as often
    assert said(COMPOSITION) == said(COMPOSITION)
    for name in suite_names():
        if name != "composition":
            assert not any(HELD.excludes(one.goal) for one in said(load_suite(name)) if one), name
    for goal, sentence, _ in said(COMPOSITION):
        assert GRAMMAR.says(sentence, goal, "train")


def test_a_suite_may_ask_for_another_held_out_goal():
    told = said(Suite(name="any", goals="held_out", told="other"))
    # who is told to touch the one thing and lifts the other touches it first: that is nothing to be told instead
    assert {one.goal for one in told if one} == {EVERY[0]} and HELD.excludes(EVERY[0])
    assert set(said(Suite(name="any", goals="held_out", told="other"), goals=EVERY[:1])) == {None}


def test_manners_are_asked_for_as_they_were_drawn_unless_they_are_what_is_held_out():
    slowly = replace(EVERY[1], manner="slowly")
    held = Compositions.parse([{"verb": "lift", "manner": "gently"}, {"verb": "touch", "colour": "red"}])

    def told(name, drawn):
        options = {"goals": EVERY, "grammar": GRAMMAR, "held": held}
        return {choose(load_suite(name), seed=seed, drawn=drawn, **options)[0] for seed in range(60)}

    assert told("seen", slowly) == {slowly}
    assert {goal.manner for goal in told("wrong", slowly)} == {"slowly"}
    asked = told("composition", slowly)
    assert {(goal.verb, goal.manner) for goal in asked} == {("lift", "gently"), ("touch", "slowly")}
    assert all(held.excludes(goal) for goal in asked)
    gently = told("seen", replace(EVERY[1], manner="gently"))
    assert not any(held.excludes(goal) for goal in gently) and {goal.manner for goal in gently} == {"gently"}


@pytest.mark.parametrize(("name", "split"), [("seen", "train"), ("paraphrase", "held_out")])
def test_suites_refer_to_things_as_the_data_set_did(name, split):
    state = Sorting().reset(4).state
    options = {"drawn": state.goal, "goals": EVERY, "grammar": GRAMMAR, "among": state.bodies}

    def bound(references):
        chosen = [choose(load_suite(name), seed=seed, references=references, **options) for seed in range(80)]
        assert all(GRAMMAR.says(sentence, goal, split, among=state.bodies) for goal, sentence, _ in chosen)
        return sum(not GRAMMAR.says(sentence, goal, split) for goal, sentence, _ in chosen)

    assert bound(0.0) == 0 and 15 < bound(0.4) < 50
    own = {"lift": ["fetch the {object}"], "touch": ["prod the {object}"]}
    said = {choose(load_suite(name), seed=s, references=1.0, own=own, **options)[1].split()[0] for s in range(20)}
    assert said <= {"fetch", "prod"}


def test_ones_own_sentences_are_judged_by_what_they_say():
    slowly, options = EVERY[1].done("slowly"), {"goals": EVERY, "grammar": GRAMMAR}
    own = {"lift": ["fetch the {object}", "fetch the {colour} thing"], "touch": ["put it on the {target}"]}

    def told(name):
        return [choose(load_suite(name), seed=seed, drawn=slowly, own=own, **options) for seed in range(40)]

    for goal, sentence, _ in told("seen"):
        assert goal == EVERY[1] and sentence in {"fetch the green cube", "fetch the green thing"}
    assert {one.goal.verb for one in told("wrong")} == {"lift"}  # what no sentence can say is not asked for
    for goal, sentence, _ in told("manner"):
        assert (
            goal.manner == "slowly" and "fetch the green" in sentence and goal in {one.done("slowly") for one in EVERY}
        )


def test_a_layout_without_such_a_goal_has_no_trial():
    assert set(said(COMPOSITION, goals=[goal for goal in EVERY if not HELD.excludes(goal)])) == {None}
    assert set(said(load_suite("seen"), goals=HELD.of_split(EVERY, "held_out"))) == {None}
    assert {goal for goal, _, _ in said(load_suite("seen"), held=Compositions())} == {EVERY[0]}


def test_each_composition_is_aimed_at_as_often():
    aims = Counter(aim(COMPOSITION, seed=seed, held=HELD) for seed in range(1, 401, 2))
    assert {one for held in aims for one in held.held_out} == set(HELD.held_out) and min(aims.values()) > 80
    assert aim(load_suite("seen"), seed=1, held=HELD) == HELD and not aim(COMPOSITION, seed=1, held=Compositions())


def trials(folder, *, count, names=("seen", "composition"), held=ONE):
    options = {"randomisation": {"held_out": ONE.to_json()}}
    stage = Stage(
        actor=Reach,
        scene=lambda node: Sorting(randomisation=node["init_args"]["randomisation"]),
        config={"class_path": "tests.sorting.Sorting", "init_args": options},
        spec=Sorting.spec,
        horizon=30,
        own=None,
        held=held,
    )
    out = {name: folder / name for name in names}
    evaluate_suites([load_suite(name) for name in names], stage, trials=count, seed=3, workers=1, out=out, about={})
    lines = {name: (out[name] / "trials.jsonl").read_text().splitlines() for name in names}
    return {name: [Trial.from_json(json.loads(line)) for line in lines[name]] for name in names}


def test_trials_go_on_to_the_first_layout_that_offers_a_goal(tmp_path):
    done = trials(tmp_path / "a", count=12)
    assert all(ONE.excludes(trial.goal) for trial in done["composition"])
    assert not any(ONE.excludes(trial.goal) for trial in done["seen"])
    assert all(trial.success and trial.seed % 2 for name in done for trial in done[name])
    first = [COMPOSITION.seed(3, index) for index in range(12)]
    assert 0 < sum(trial.seed != seed for trial, seed in zip(done["composition"], first, strict=True)) < 12
    films = {film.stem for film in (tmp_path / "a" / "composition" / "videos").iterdir()}
    assert films and films <= {f"{trial.seed}-{trial.outcome}" for trial in done["composition"]}
    # fewer trials are the first of more
    again = trials(tmp_path / "b", count=4)["composition"]
    assert [(t.seed, t.goal, t.instruction) for t in again] == [
        (t.seed, t.goal, t.instruction) for t in done["composition"][:4]
    ]


def test_a_composition_that_is_not_found_leaves_its_trials_to_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr("mmil.evaluation.stage.LAYOUTS", 9)
    held = Compositions.parse([*ONE.to_json(), {"verb": "push"}])
    done = trials(tmp_path, count=6, names=["composition"], held=held)["composition"]
    assert {str(trial.goal) for trial in done} == {"lift red cube"}


def test_a_composition_that_no_layout_offers_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("mmil.evaluation.stage.LAYOUTS", 5)
    with pytest.raises(UserError, match="of composition: none of 5 layouts offers"):
        trials(tmp_path, count=1, held=Compositions.parse([{"verb": "push"}]))


def run(monkeypatch, tmp_path, node, **options):
    """`mmil evaluate` of a run whose trials are not played."""
    spec = Sorting.spec
    folder = SimpleNamespace(path=tmp_path, made_with={"scene": node}, spec=spec, future=8)
    monkeypatch.setattr(verb.RunFolder, "open", lambda path: folder)
    monkeypatch.setattr(verb, "weights_sha256", lambda path: "0")
    asked: list[tuple[str, Compositions]] = []

    def play(suites, stage, **rest):
        asked.extend((suite.name, stage.held) for suite in suites)
        return {suite.name: {"n": 1} for suite in suites}

    monkeypatch.setattr(verb, "evaluate_suites", play)
    told: list[str] = []
    verb.evaluate(tmp_path, tell=told.append, **options)
    return dict(asked), told


def test_a_data_set_without_compositions_leaves_the_suite_out(monkeypatch, tmp_path):
    node = {"class_path": "tests.sorting.Sorting", "init_args": {}}
    asked, told = run(monkeypatch, tmp_path, node, suite="all")
    assert "composition" not in asked and set(asked) == {*suite_names()} - {"composition", "manner"}
    assert told == [
        "composition: the data set of this run holds out no compositions (`mmil splits` chooses some); left out",
        "manner: the data set of this run asks for no manners (`manners:` of its scene); left out",
    ]
    with pytest.raises(UserError, match="composition: the data set of this run holds out no compositions"):
        run(monkeypatch, tmp_path, node, suite="composition")


def test_the_compositions_are_those_of_the_runs_data_set(monkeypatch, tmp_path):
    randomisation = {"held_out": HELD.to_json(), "cameras": "train"}
    node = {"class_path": "mmil.scenes.Tabletop", "init_args": {"manners": 0.2, "randomisation": randomisation}}
    asked, told = run(monkeypatch, tmp_path, node, suite="all")
    assert set(asked) == set(suite_names()) and set(asked.values()) == {HELD} and told == []


def test_the_references_are_those_of_the_runs_data_set(monkeypatch, tmp_path):
    for config, share in (({"references": 0.3}, 0.3), ({}, 0.0)):
        stages = []
        monkeypatch.setattr(verb, "evaluate_suites", lambda left, stage, _=stages, **more: _.append(stage) or {})
        monkeypatch.setattr(verb, "weights_sha256", lambda path: "0")
        made = {"scene": {"class_path": "mmil.scenes.Tabletop"}, **config}
        folder = SimpleNamespace(path=tmp_path, spec=Sorting.spec, future=8, made_with=made)
        monkeypatch.setattr(verb.RunFolder, "open", lambda path, folder=folder: folder)
        with suppress(KeyError):  # nothing was run
            verb.evaluate(tmp_path, suite="seen")
        assert [stage.references for stage in stages] == [share]


def test_a_suite_of_unknown_goals_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(suites, "FOLDER", tmp_path)
    (tmp_path / "odd.yaml").write_text("goals: heldout\n")
    with pytest.raises(UserError, match=r"odd.yaml: no goals 'heldout'; there are train, held_out"):
        load_suite("odd")
