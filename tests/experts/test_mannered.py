"""A hand that minds how: what it feels moves it, and it does gently or slowly what an unfeeling one did not."""

from dataclasses import replace

import numpy as np
import pytest

from mmil.contracts import Actor, Body, Goal, State, Thing
from mmil.experts import Disturbed, Mannered, Skilled
from mmil.rollout import rollout
from mmil.scenes import Tabletop, skills
from mmil.scenes.things import SHAPES

CUBE, BUTTON = Thing("cube", "red"), Thing("button", "blue")


class Still(Actor):
    """Wants to go down as fast as it can."""

    def reset(self, seed: int) -> None:
        """Nothing to forget."""

    def act(self, observation, state=None) -> np.ndarray:
        return np.array([0.0, 0, -1, 0, 0, 0, 1], np.float32)


def state(goal: Goal, *, height: float, force=(0.0, 0.0, 0.0)) -> State:
    """The hand `height` [m] over the top of the goal's object."""
    body = Body(goal.object, np.array([0.0, 0, 0.82]), np.array([0.0, 0, 0, 1]), np.full(3, 0.02), held=False)
    fixed = {"gripper_width": 0.0, "gripper_command": 1.0, "table_height": 0.8}
    return State(goal, (body,), np.array([0.0, 0, 0.84 + height]), np.eye(3), force=np.array(force), **fixed)


def down(now: State) -> float:
    return float(-Mannered(Still()).act(None, now)[2])


def test_a_gentle_hand_slows_before_its_tips_meet_what_is_below():
    goal = Goal("touch", CUBE, manner="gently")
    assert down(state(goal, height=0.10)) == pytest.approx(0.3)
    assert down(state(goal, height=0.0095)) == pytest.approx(0.05)  # where the tips end
    assert down(replace(state(goal, height=0.0095), goal=goal.done(None))) == pytest.approx(0.6)


def test_a_gentle_hand_gives_way_to_what_it_feels():
    goal = Goal("touch", CUBE, manner="gently")
    felt = [down(state(goal, height=0.0, force=(0, 0, newtons))) for newtons in (1.0, 5.0, 12.0)]
    assert felt == pytest.approx([0.05, 0.02, -0.05])


def test_a_gentle_hand_presses_what_springs_back():
    goal = Goal("press", BUTTON, manner="gently")
    assert down(state(goal, height=0.0095, force=(0, 0, 8.0))) == pytest.approx(0.12)


@pytest.fixture(scope="module")
def scene():
    every = [getattr(skills, name)() for name in skills.__all__ if name != "Skill"]
    scene = Tabletop(skills=every, fixtures=2, shapes=tuple(SHAPES), horizon=250)
    yield scene
    scene.close()


# each failed before the hand knew where its tips end and felt what it did: too hard, too fast, or never
ONCE_FAILED = [
    ("flip", "gently", 3_010_008),
    ("push", "gently", 3_070_002),
    ("touch", "gently", 3_100_007),
    ("put", "gently", 3_080_010),
    ("lift", "gently", 3_030_001),
    ("stack", "gently", 3_090_014),
    ("wipe", "slowly", 3_110_010),
]


@pytest.mark.parametrize(("verb", "manner", "seed"), ONCE_FAILED)
def test_it_does_in_its_manner_what_it_once_did_not(scene, verb, manner, seed):
    scene.reset(seed)
    goals = [goal for goal in scene.goals if goal.verb == verb]
    goal = goals[np.random.default_rng(seed).integers(len(goals))].done(manner)
    told = {"goal": goal, "instruction": "as you are told"}
    episode = rollout(scene, Mannered(Skilled()), seed=seed, horizon=700, record=False, **told)
    assert episode.success, (episode.outcome, episode.measures)


def test_what_is_done_in_a_manner_is_disturbed_in_it():
    goal, strays = Goal("touch", CUBE), {}
    for manner in (None, "slowly", "gently"):
        told, actor = state(goal.done(manner), height=0.1), Disturbed(Mannered(Still()), sway=0.2, push=0.2)
        actor.reset(3)
        calm = Mannered(Still()).act(None, told)[:3]
        strays[manner] = np.max([np.linalg.norm(actor.act(None, told)[:3] - calm) for _ in range(50)])
    assert strays["slowly"] < 0.6 * strays[None] and strays["gently"] < 0.5 * strays[None], strays
