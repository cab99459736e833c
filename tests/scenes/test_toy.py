"""The toy is a scene like the others: kept to its Spec, decided by its seed, drawn as its camera says."""

import numpy as np
import pytest
import torch

from mmil.contracts import Goal, Thing, UserError
from mmil.experts import Straight
from mmil.pinhole import picture_place
from mmil.rollout import rollout
from mmil.scenes import Toy


def told(scene: Toy, seed: int) -> Goal:
    goal = scene.reset(seed).state.goal
    scene.tell(goal, f"touch the {goal.object}")
    return goal


def test_observations_keep_the_spec_and_share_nothing():
    scene = Toy()
    observation = scene.reset(2).observation
    assert {name: frame.shape for name, frame in observation.images.items()} == dict(scene.spec.cameras)
    assert {name: value.shape for name, value in observation.signals.items()} == dict(scene.spec.signals)
    before = {name: value.copy() for name, value in observation.signals.items()}
    scene.step(np.array([1.0, -1.0, -1.0]))
    assert all(np.array_equal(observation.signals[name], before[name]) for name in before)


def test_a_seed_decides_and_another_differs():
    def played(seed: int) -> list[np.ndarray]:
        scene, rng = Toy(), np.random.default_rng(seed)
        step, seen = scene.reset(seed), []
        for _ in range(5):
            seen += [np.array(step.observation.images["top"]), scene.simulator_state()]
            step = scene.step(rng.uniform(-1, 1, 3))
        return seen

    assert all(np.array_equal(one, two) for one, two in zip(played(4), played(4), strict=True))
    assert not np.array_equal(played(4)[0], played(5)[0])


@pytest.mark.parametrize("cameras", ["train", "held_out", "none"])
def test_things_are_drawn_where_the_camera_says(cameras):
    scene = Toy(randomisation={"cameras": cameras}, image_size=96)
    for seed in range(8):
        step = scene.reset(seed)
        picture = step.observation.images["top"].astype(float)
        pose = torch.tensor(step.observation.signals["camera_top"])
        for body in step.state.bodies:
            place, inside = picture_place(pose, torch.tensor(body.position).float())
            row, column = ((place + 1) / 2 * 96).long().tolist()
            assert inside
            table = np.array(scene.draws["table"]) * 255
            hand = step.observation.signals["eef_pos_world"]
            if np.linalg.norm(hand - body.position) > 0.06:  # nothing is drawn over it
                assert np.abs(picture[row, column] - table).max() > 20


def test_the_camera_bands_are_apart():
    def drawn(band: str) -> np.ndarray:
        scene = Toy(randomisation={"cameras": band})
        seen = []
        for seed in range(60):
            scene.reset(seed)
            seen.append(list(scene.draws["camera"].values()))
        return np.array(seen)

    train, held = drawn("train"), drawn("held_out")
    middle, width = np.median(train, axis=0), np.abs(train - np.median(train, axis=0)).max(axis=0)
    assert (np.abs(held - middle) > 0.9 * width).mean() > 0.9


def test_the_expert_touches_what_it_is_told():
    scene, steps = Toy(), []
    for seed in range(50):
        episode = rollout(scene, Straight(), seed=seed, horizon=30, record=False)
        assert episode.success, episode.outcome
        steps.append(len(episode.actions))
    assert np.mean(steps) < 12


def test_another_thing_is_wrong_and_none_is_a_timeout():
    scene = Toy()
    goal = told(scene, 3)
    other = next(one for one in scene.goals if one != goal)
    scene.reset(3)
    scene.tell(goal, "touch it")
    step, expert = scene.reset(3), Straight()
    while step.outcome is None:
        aimed = step.state.__class__(**{**vars(step.state), "goal": other})
        step = scene.step(expert.act(step.observation, aimed))
    assert step.outcome == "wrong_object" and step.reward == 0
    step = scene.reset(3)
    while step.outcome is None:
        step = scene.step(np.array([0.0, 0.0, -1.0]))
    assert step.outcome == "timeout"


def test_what_cannot_be_is_refused():
    for options, message in (
        ({"things": 9}, "things is 9"),
        ({"shapes": ["pyramid"]}, "pyramid"),
        ({"colours": ["mauve"]}, "mauve"),
        ({"randomisation": {"light": 1}}, "light"),
    ):
        with pytest.raises(UserError, match=message):
            Toy(**options)
    scene = Toy()
    scene.reset(0)
    with pytest.raises(UserError, match="3 finite numbers"):
        scene.step(np.zeros(7))
    with pytest.raises(UserError, match="red anvil"):
        scene.tell(Goal("touch", Thing("anvil", "red")), "touch the red anvil")
