"""A manner is measured, and an attempt that reaches its goal in another manner has not done what it was asked."""

from dataclasses import replace

import numpy as np
import pytest

from mmil.contracts import Body, Goal, State, Thing, UserError
from mmil.experts import Mannered, Skilled
from mmil.rollout import rollout
from mmil.scenes import Tabletop, manner, skills
from mmil.scenes.judge import Judge
from mmil.scenes.manner import Course, fulfilled, plain_medians

RED, BLUE = Thing("cube", "red"), Thing("cube", "blue")


def state(goal: Goal, *, hand=(0.0, 0.0, 1.0), contact=0.0, lifted=0.0) -> State:
    def body(thing, x, z):
        return Body(thing, np.array([x, 0, z]), np.array([0.0, 0, 0, 1]), np.full(3, 0.02), held=bool(lifted))

    bodies = (body(RED, 0.0, 0.82 + lifted), body(BLUE, 0.2, 0.82))
    fixed = {"gripper_width": 0.04, "gripper_command": 1.0, "table_height": 0.8}
    return State(goal, bodies, np.array(hand, float), np.eye(3), contact=contact, **fixed)


def test_a_course_is_measured_in_metres_a_second_and_newtons():
    goal = Goal("lift", RED)
    course = Course(state(goal))
    for step in range(1, 5):
        course.add(state(goal, hand=(0.01 * step, 0, 1.0), contact=2.0 if step == 2 else 0.5))
    assert course.measures == {"path_speed": pytest.approx(0.2), "peak_force": 2.0}


def test_every_verb_has_plain_medians():
    verbs = {getattr(skills, name).verb for name in skills.__all__ if name != "Skill"}
    assert set(plain_medians()) == verbs
    assert all(values["path_speed"] > 0.05 and values["peak_force"] > 1 for values in plain_medians().values())


@pytest.mark.parametrize(
    ("how", "speed", "force", "expected"),
    [
        (None, 9.0, 9.0, True),
        ("slowly", 0.59, 9.0, True),
        ("slowly", 0.61, 0.0, False),
        ("gently", 9.0, 0.69, True),
        ("gently", 0.0, 0.71, False),
        ("quickly", 1.2, 9.0, True),
        ("quickly", 1.1, 9.0, False),
    ],
)
def test_a_manner_is_told_by_the_plain_medians(how, speed, force, expected):
    plain = plain_medians()["lift"]
    measures = {"path_speed": speed * plain["path_speed"], "peak_force": force * plain["peak_force"]}
    assert fulfilled(Goal("lift", RED, manner=how), measures) == expected


def test_the_spike_of_an_impact_is_no_force_that_lasts():
    scene = Tabletop()
    scene.reset(1)
    scene._world.contacts[:] = [0.0, 1.0, 80.0, 0.5, 1.0]
    assert scene._state().contact == 1.0
    scene.close()


@pytest.mark.parametrize(("stride", "outcome"), [(0.001, "success"), (0.05, "wrong_manner")])
def test_the_goal_reached_in_another_manner_is_no_success(stride, outcome):
    goal = Goal("lift", RED, manner="slowly")
    start = state(goal)
    judge = Judge(skills.Lift(), goal, skills.Lift().goals(start), start)
    steps = [state(goal, hand=(stride * i, 0, 1.0), lifted=0.1) for i in range(1, 4)]
    assert [judge(one, over=False) for one in steps] == [None, None, outcome]


def test_experts_do_it_as_they_are_told():
    scene = Tabletop(skills=[skills.Lift(), skills.Push()], horizon=250)
    try:
        for seed in (6, 8):
            goal = scene.reset(seed).state.goal
            told = {
                how: rollout(
                    scene,
                    Mannered(Skilled()),
                    seed=seed,
                    horizon=700,
                    record=False,
                    goal=goal.done(how),
                    instruction="x",
                )
                for how in (None, "slowly", "quickly")
            }
            speeds = {how: episode.measures["path_speed"] for how, episode in told.items()}
            assert speeds["slowly"] < manner.SLOW * speeds[None] and speeds["quickly"] > 1.1 * speeds[None]
            assert told["slowly"].success and told[None].success, {how: one.outcome for how, one in told.items()}
        with pytest.raises(UserError, match="lift cannot be done 'sadly'; it can be done slowly, gently, quickly"):
            scene.tell(replace(scene.goals[0], manner="sadly"), "lift it sadly")
    finally:
        scene.close()
