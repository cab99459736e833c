"""Every skill: its goals are feasible, its expert reaches them, and what it calls reached a person would too."""

from dataclasses import replace

import numpy as np
import pytest

from mmil.contracts import SIDES, Body, Goal, State, Thing, UserError
from mmil.experts import Disturbed, Lift, Push, Skilled, Touch
from mmil.rollout import rollout
from mmil.scenes import Tabletop, skills
from mmil.scenes.judge import Judge

EXPERT = Skilled({"lift": Lift(), "push": Push(), "touch": Touch()})
RED, BLUE = Thing("cube", "red"), Thing("cylinder", "blue")


@pytest.fixture(scope="module")
def scene():
    scene = Tabletop(skills=[skills.Lift(), skills.Push(), skills.Touch()], horizon=120)
    yield scene
    scene.close()


@pytest.mark.parametrize("verb", ["lift", "push", "touch"])
def test_the_expert_reaches_what_it_is_told(scene, verb):
    outcomes = []
    for seed in range(200, 210):
        scene.reset(seed)
        goals = [goal for goal in scene.goals if goal.verb == verb]
        told = {"goal": goals[seed % len(goals)], "instruction": "do it"}
        outcomes.append(rollout(scene, EXPERT, seed=seed, horizon=120, record=False, **told).outcome)
    assert outcomes.count("success") >= 9, outcomes


def test_it_recovers_when_disturbed(scene):
    actor = Disturbed(EXPERT, sway=0.1, push=0.02, miss=0.01)
    outcomes = [
        rollout(scene, actor, expert=EXPERT, seed=seed, horizon=120, record=False).outcome for seed in range(12)
    ]
    assert outcomes.count("success") >= 10, outcomes


def test_verbs_are_drawn_alike_whatever_the_number_of_their_goals(scene):
    verbs = [scene.reset(seed).state.goal.verb for seed in range(60)]
    assert all(8 <= verbs.count(verb) <= 34 for verb in ("lift", "push", "touch")), verbs


def test_a_push_moves_the_thing_that_way_and_keeps_it_on_the_table(scene):
    for side, way in SIDES.items():
        for seed in range(300, 320):
            scene.reset(seed)
            goal = next((goal for goal in scene.goals if goal.relation == side), None)
            if goal is None:
                continue
            before = scene.tell(goal, "push it").state.body(goal.object).position
            for _ in range(120):
                step = scene.step(EXPERT.act(None, scene._state()))
                if step.outcome:
                    break
            offset = step.state.body(goal.object).position - before
            assert step.outcome == "success" and offset[:2] @ np.array(way) > 0.06 and abs(offset[2]) < 0.02
            break
        else:
            pytest.fail(f"nothing could be pushed to the {side} in 20 layouts")


def state(*places: tuple[float, float], goal: Goal, touched: tuple[bool, ...] = (False, False)) -> State:
    half, upright = np.full(3, 0.02), np.array([0.0, 0.0, 0.0, 1.0])
    bodies = tuple(
        Body(thing, np.array([*place, 0.82]), upright, half, held=False, touched=felt)
        for thing, place, felt in zip((RED, BLUE), places, touched, strict=True)
    )
    return State(goal, bodies, np.zeros(3), np.eye(3), 0.08, -1.0, 0.8)


def test_a_side_without_room_cannot_be_asked_for():
    goal = Goal("push", RED, relation="left")
    feasible = {(g.object, g.relation) for g in skills.Push().goals(state((0, 0), (0, -0.1), goal=goal))}
    assert (RED, "left") not in feasible  # the other thing is there
    assert (RED, "right") not in feasible  # no room for the hand behind it
    assert {(RED, "front"), (RED, "back"), (BLUE, "front")} <= feasible
    edge = {(g.object, g.relation) for g in skills.Push().goals(state((0, -0.25), (0.2, 0.2), goal=goal))}
    assert (RED, "left") not in edge and (RED, "right") in edge


def test_a_push_astray_or_of_another_thing_is_told_apart():
    goal = Goal("push", RED, relation="left")
    start = state((0, 0), (0.2, 0.2), goal=goal)

    def judged(red, blue):
        judge = Judge(skills.Push(), goal, skills.Push().goals(start), start)
        now = state(red, blue, goal=goal)
        return [judge(now, over=False) for _ in range(2)] + [judge(now, over=True)]

    assert judged((0, -0.07), (0.2, 0.2)) == [None, None, "success"]
    assert judged((0.05, -0.07), (0.2, 0.2))[-1] == "timeout"  # to the front as well
    assert judged((0, 0.07), (0.2, 0.2))[-1] == "timeout"
    assert judged((0, 0), (0.2, 0.12))[-1] == "wrong_object"


def test_a_touch_that_moves_the_thing_away_is_none():
    goal = Goal("touch", RED)
    start = state((0, 0), (0.2, 0.2), goal=goal)
    near, far = (state((0, y), (0.2, 0.2), goal=goal, touched=(True, False)) for y in (0.01, 0.05))
    assert skills.Touch().reached(goal, start=start, now=near)
    assert not skills.Touch().reached(goal, start=start, now=far)
    assert not skills.Touch().reached(goal, start=start, now=start)


def test_a_verb_without_an_expert_is_named():
    goal = Goal("juggle", RED)
    with pytest.raises(UserError, match="no expert for 'juggle'; there are lift, push, touch"):
        EXPERT.act(None, replace(state((0, 0), (0.2, 0.2), goal=goal), goal=goal))
