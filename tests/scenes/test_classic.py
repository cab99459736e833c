"""robosuite's own tasks as scenes, each with its expert: deterministic by seed, judged by robosuite, never stale."""

import gc
from itertools import pairwise

import numpy as np
import pytest

import mmil.experts.classic as experts
import mmil.scenes.classic as scenes
from mmil.contracts import Goal, Thing, UserError
from mmil.rollout import rollout
from mmil.scenes.spec import SIGNALS

GOALS = {"Lift": 1, "Stack": 1, "Can": 1, "PickPlace": 4, "NutAssembly": 2, "Door": 1, "Wipe": 1}
EXPERTS = {"Can": "PickPlace"}  # of a name that is not the task's


@pytest.fixture(scope="module", params=GOALS)
def scene(request):
    scene = getattr(scenes, request.param)(image_size=(48, 48))
    yield scene
    scene.close()


@pytest.fixture
def expert(scene):
    task = type(scene).__name__
    return getattr(experts, EXPERTS.get(task, task))()


def wander(scene, seed, steps):
    rng, step = np.random.default_rng(1), scene.reset(seed)
    instants = [step]
    for _ in range(steps):
        instants.append(scene.step(rng.uniform(-1, 1, 7)))
    return instants


def test_it_has_the_signals_of_tabletop_and_what_its_spec_says(scene):
    step = scene.reset(2)
    spec, seen = scene.spec, step.observation
    assert SIGNALS.items() <= spec.signals.items() and len(spec.action) == 7
    assert {name: value.shape for name, value in seen.signals.items()} == dict(spec.signals)
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in seen.signals.values())
    assert {name: image.shape for name, image in seen.images.items()} == dict(spec.cameras)
    assert np.abs(seen.images["front"].astype(int) - seen.images["wrist"]).mean() > 5
    assert step.state.privileged["body_poses"].shape == spec.privileged["body_poses"]
    assert np.linalg.norm(step.state.force) < 1.0  # tared


def test_the_seed_alone_decides_and_what_was_done_before_leaves_no_trace(scene, expert):
    first = wander(scene, 8, 4)
    frame = first[-1].observation.images["wrist"]
    draws, state = scene.draws, scene.simulator_state()
    rollout(scene, expert, seed=12, horizon=25, record=False)
    again = wander(scene, 8, 4)
    assert scene.draws == draws and np.array_equal(scene.simulator_state(), state)
    assert np.array_equal(again[-1].observation.images["wrist"], frame)
    assert not any(
        np.shares_memory(a.observation.signals[name], b.observation.signals[name])
        for a, b in pairwise(again)
        for name in scene.spec.signals
    )
    scene.reset(10)
    assert scene.draws["placement"] != draws["placement"] and scene.draws["cameras"] != draws["cameras"]


def test_a_stored_instant_can_be_shown_again(scene, expert):
    step = scene.reset(6)
    for _ in range(40 if scene.name == "robosuite_wipe" else 3):
        step = scene.step(expert.act(step.observation, step.state))
    frames, state, draws = dict(step.observation.images), scene.simulator_state(), scene.draws
    scene.reset(4)
    gc.collect()
    for camera, frame in scene.show(draws, state).items():
        assert np.array_equal(frame, frames[camera]), camera


def test_goals_are_told_and_wrong_ones_refused(scene):
    scene.reset(0)
    assert len(scene.goals) == GOALS[type(scene).__name__]
    assert all(scene.tell(goal, "now").state.goal == goal for goal in scene.goals)
    with pytest.raises(UserError, match="not feasible here; there are: "):
        scene.tell(Goal("lift", Thing("elephant")), "now")
    with pytest.raises(UserError, match="expected 7 finite numbers"):
        scene.step(np.zeros(6))


def test_the_expert_succeeds_by_robosuites_own_check(scene, expert):
    for number, goal in enumerate(scene.goals):
        episode = rollout(scene, expert, seed=20 + 2 * number, horizon=500, goal=goal, instruction="do", record=False)
        assert episode.success and episode.rewards[-1] == 1.0 and episode.rewards[:-1].sum() == 0.0
        done = scene._world._check_success()
        assert done or len(scene.goals) > 1  # where there are several, robosuite asks for all of them


def test_the_expert_is_a_function_of_the_state(scene, expert):
    step = scene.reset(30)
    for _ in range(15):
        step = scene.step(expert.act(step.observation, step.state))
    fresh = type(expert)()
    assert np.array_equal(expert.act(step.observation, step.state), fresh.act(step.observation, step.state))


def test_another_thing_in_its_place_is_the_wrong_one(scene, expert):
    if len(scene.goals) < 2:
        pytest.skip("there is one goal")
    asked, other = scene.goals[:2]
    step = scene.reset(24)
    step = scene.tell(asked, "the first")
    while step.outcome is None:
        scene._goal = other  # the expert goes for the other one, and sees what it would see
        action = expert.act(step.observation, scene._state())
        scene._goal = asked
        step = scene.step(action)
    assert step.outcome == "wrong_object" and step.state.goal == asked and step.reward == 0.0


def test_torques_are_robosuites_own_for_a_sponge_too(scene):
    if scene.name != "robosuite_wipe":
        pytest.skip("test_control.py has those of a hand with fingers")
    stock = scenes.Wipe(image_size=(32, 32), stock_control=True)
    ends = [wander(one, 5, 8) and one.simulator_state() for one in (scene, stock)]
    stock.close()
    assert np.abs(ends[0] - ends[1]).max() < 1e-6
