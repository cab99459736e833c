"""Results part by part: skills in turns, manners, and whether a policy does what it is told."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from mmil.contracts import HELD_STEPS, SLOW_TIME, Actor, Goal, Thing, Trial
from mmil.evaluation.breakdown import by_manner, details, listening
from mmil.evaluation.stage import Stage
from mmil.evaluation.statistics import Paired
from mmil.evaluation.suites import Suite, choose, difference, load_suite
from mmil.evaluation.tables import suites_table
from mmil.evaluation.trials import evaluate_suites
from mmil.language.grammar import Grammar
from tests.plane import REACH, STRIDE, Reach
from tests.sorting import EVERY, VERBS, Sorting

GRAMMAR = Grammar.load()
RED, BLUE, BIN = Thing("cube", "red"), Thing("cube", "blue"), Thing("bin", "green")


class Turns(Sorting):
    """Sorting that says which verbs it has, and knows when the finger is over a thing."""

    verbs = VERBS

    def reached(self, goal, now):
        return bool(np.linalg.norm(now.body(goal.object).position[:2] - now.eef_position[:2]) < REACH)

    def fulfils(self, goal):
        return True


class Deaf(Actor):
    """Hovers over the red cube, whatever is said."""

    def reset(self, seed: int) -> None: ...

    def act(self, observation, state=None):
        offset = (state.body(RED).position - state.eef_position)[:2] / STRIDE
        return np.append(offset / max(1.0, np.abs(offset).max()), -1.0).astype(np.float32)


def run(folder, names, *, actor=Reach, count=12, **scene):
    config = {"class_path": "any", "init_args": {}}
    stage = Stage(actor=actor, scene=lambda node: Turns(**scene), config=config, spec=Turns.spec, horizon=30, own=None)
    out = {name: folder / name for name in names}
    made = evaluate_suites([load_suite(n) for n in names], stage, trials=count, seed=3, workers=1, out=out, about={})
    lines = {name: (out[name] / "trials.jsonl").read_text().splitlines() for name in names}
    return made, {name: [Trial.from_json(json.loads(line)) for line in lines[name]] for name in names}


def test_verbs_come_in_turns_and_suites_share_their_layouts(tmp_path):
    made, done = run(tmp_path, ["seen", "wrong"])
    assert [trial.goal.verb for trial in done["seen"]] == [VERBS[i % 2] for i in range(12)]
    skills = made["seen"]["skills"]
    assert {verb: (one["n"], one["successes"]) for verb, one in skills.items()} == {"lift": (6, 6), "touch": (6, 6)}
    assert sum(one["n"] for one in made["seen"]["colours"].values()) == 12
    for seen, wrong in zip(done["seen"], done["wrong"], strict=True):
        assert seen.seed == wrong.seed and wrong.drawn == seen.goal != wrong.goal and seen.drawn is None
    table = "\n".join(suites_table(made))
    assert "skill" in table and "6/6 [61, 100]" in table


def test_who_does_not_listen_reaches_what_it_was_not_told(tmp_path):
    _, done = run(tmp_path, ["seen", "wrong"], actor=Deaf)
    told = {trial.drawn.object == RED: trial.drawn_reached for trial in done["wrong"]}
    assert told == {True: True, False: False}
    assert all(trial.steps > HELD_STEPS for trial in done["wrong"])


def trial(seed, goal, *, success, suite="seen", **more):
    return Trial(suite, goal, "say", seed, "success" if success else "timeout", 30, None, **more)


def test_listening_is_success_with_its_own_sentence_less_that_with_another():
    lift = [Goal("lift", RED), Goal("lift", BLUE), Goal("touch", RED)]
    seen = [trial(seed, lift[seed % 2], success=seed != 4) for seed in range(10)]
    wrong = [
        trial(s, lift[0 if s % 2 else 2], success=True, suite="wrong", drawn=lift[s % 2], drawn_reached=s < 2)
        for s in range(10)
    ]
    gaps = listening(seen, wrong)
    assert gaps["any"].n == 10 and gaps["any"].points == pytest.approx(100 * (9 - 2) / 10)
    assert {kind: pair.n for kind, pair in gaps.items()} == {"any": 10, "verb": 5, "object": 5}
    silent = [replace(one, drawn_reached=None) for one in wrong]
    elsewhere = [replace(one, seed=one.seed + 100) for one in wrong]
    assert listening(seen, silent) == listening(seen, elsewhere) == {}


def test_pairs_have_newcombes_interval():
    pair = Paired(n=50, both=20, only_first=12, only_second=2, neither=16, p=0.0)
    assert pair.points == 20.0 and pair.interval == pytest.approx((5.62, 32.92), abs=0.01)  # his table of 1998
    other = Paired(n=50, both=20, only_first=2, only_second=12, neither=16, p=0.0)
    assert other.interval == pytest.approx(tuple(-value for value in reversed(pair.interval)))
    assert Paired.of([]).points == 0.0 and Paired.of([(True, False)] * 9).interval[1] == pytest.approx(100)


MANY = (
    *(Goal(verb, thing) for verb in ("lift", "touch") for thing in (RED, BLUE)),
    *(Goal("push", thing, relation=side) for thing in (RED, BLUE) for side in ("left", "right")),
    *(Goal("place", thing, target=BIN, relation="in") for thing in (RED, BLUE)),
)


def others(about):
    suite = Suite(name="any", told="other")
    return [choose(suite, seed=s, drawn=about, goals=MANY, grammar=GRAMMAR).goal for s in range(300)]


def test_the_other_goal_differs_in_object_aim_or_verb_each_as_often():
    about = Goal("push", RED, relation="left")
    kinds = Counter(difference(goal, about) for goal in others(about))
    assert set(kinds) == {"object", "target or relation", "verb"} and min(kinds.values()) > 70
    assert about not in others(about) and Goal("lift", RED) in others(about)


def test_the_other_goal_does_not_pass_the_first_on_its_way():
    for goal in others(Goal("touch", RED)):
        assert goal.object == BLUE, goal


def test_the_other_goal_is_not_over_while_the_first_is_on_its_way():
    placed = Goal("place", RED, target=BIN, relation="in")
    assert {goal.verb for goal in others(placed)} == {"place", "push"}
    assert {goal.verb for goal in others(Goal("lift", RED))} == {"lift", "push", "place"}


def test_a_manner_is_measured_over_all_and_over_those_that_reached_the_goal():
    slowly = Goal("lift", RED, manner="slowly")
    ended = [("success", True)] * 3 + [("wrong_manner", False)] + [("timeout", True)] * 2 + [("dropped", None)]
    trials = [
        Trial("manner", slowly, "s", i, outcome, 9, None, measures={"path_speed": 0.1 * i}, fulfilled=kept)
        for i, (outcome, kept) in enumerate(ended)
    ]
    plain = [trial(10 + i, Goal("lift", RED), success=True) for i in range(2)]
    one = by_manner([*trials, *plain])["slowly"]
    assert (one.success.successes, one.success.n) == (3, 7)
    assert (one.fulfilled.successes, one.fulfilled.n) == (5, 6)
    assert (one.of_reached.successes, one.of_reached.n) == (3, 4)
    assert one.path_speed == pytest.approx(0.3) and one.peak_force is None
    assert by_manner(plain) == {} and json.loads(json.dumps(details(plain)))["manners"] == {}


def test_a_suite_of_manners_asks_for_nothing_else(tmp_path):
    assert load_suite("manner").scene_config({"init_args": {}}, horizon=9)["init_args"]["manners"] == 1.0
    made, done = run(tmp_path, ["manner"], count=6, manners=1.0)
    assert all(one.goal.manner == "slowly" and one.fulfilled for one in done["manner"])
    assert made["manner"]["manners"]["slowly"]["fulfilled"]["n"] == 6
    assert [one.goal.verb for one in done["manner"]] == [VERBS[i % 2] for i in range(6)]


def test_manners_get_more_time_and_only_those_that_a_verb_has(tmp_path):
    class Slow(Deaf):
        def act(self, observation, state=None):
            return np.full(3, -1e-3, np.float32)

    class Long(Turns):
        def step(self, action):
            return replace(super().step(action), outcome=None)

        def offers(self, goal):
            return super().offers(goal) and (goal.verb, goal.manner) != ("lift", "slowly")

    config = {"class_path": "any", "init_args": {}}
    scene = lambda node: Long(manners=1.0)  # noqa: E731
    stage = Stage(actor=Slow, scene=scene, config=config, spec=Long.spec, horizon=10, own=None)
    out = {"seen": tmp_path}
    evaluate_suites([load_suite("seen")], stage, trials=4, seed=0, workers=1, out=out, about={})
    done = [Trial.from_json(json.loads(line)) for line in (tmp_path / "trials.jsonl").read_text().splitlines()]
    told = {(one.goal.verb, one.goal.manner): one.steps for one in done}
    assert told == {("lift", None): 10, ("touch", "slowly"): round(10 * SLOW_TIME)}


def test_a_trial_goes_through_json():
    first = trial(3, EVERY[0], success=True, drawn=EVERY[1], drawn_reached=False, measures={"path_speed": 0.1})
    assert Trial.from_json(json.loads(json.dumps(first.to_json()))) == first
    old = {key: value for key, value in first.to_json().items() if key not in ("drawn", "drawn_reached", "measures")}
    assert Trial.from_json(json.loads(json.dumps(old))).drawn is None
