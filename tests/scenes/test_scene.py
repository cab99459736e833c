"""What every scene owes (after dm_control's suite_test): its Spec kept, its seed decisive, nothing shared or dead."""

import gc
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mmil.contracts import Goal, Thing, UserError
from mmil.scenes import Tabletop


def played(scene, *, seed: int, steps: int = 6) -> list:
    """Observations with their pictures taken, and simulator states, under random actions."""
    rng = np.random.default_rng(seed)
    step = scene.reset(seed)
    seen = []
    for _ in range(steps):
        seen.append((dict(step.observation.images), step.observation.signals, scene.simulator_state()))
        step = scene.step(rng.uniform(-1, 1, 7))
    return seen


def test_observations_keep_the_spec(scene):
    observation = scene.reset(2).observation
    assert {name: frame.shape for name, frame in observation.images.items()} == dict(scene.spec.cameras)
    assert all(frame.dtype == np.uint8 for frame in observation.images.values())
    assert {name: value.shape for name, value in observation.signals.items()} == dict(scene.spec.signals)
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in observation.signals.values())


def test_a_seed_gives_one_episode_whatever_came_before(scene):
    first = played(scene, seed=4)
    played(scene, seed=8)
    scene.step(np.ones(7))  # also from the middle of another episode
    for (images, signals, state), (images2, signals2, state2) in zip(first, played(scene, seed=4), strict=True):
        assert np.array_equal(state, state2)
        assert all(np.array_equal(images[name], images2[name]) for name in images)
        assert all(np.array_equal(signals[name], signals2[name]) for name in signals)


def test_another_scene_of_the_same_kind_gives_the_same_episode(scene, held_out):
    fresh = Tabletop()
    try:
        for (images, _, state), (images2, _, state2) in zip(
            played(scene, seed=6, steps=3), played(fresh, seed=6, steps=3), strict=True
        ):
            assert np.array_equal(state, state2)
            assert all(np.array_equal(images[name], images2[name]) for name in images)
    finally:
        fresh.close()


def test_other_seeds_give_other_layouts(scene):
    scene.reset(10)
    first = scene.draws
    scene.reset(12)
    assert first["objects"] != scene.draws["objects"] and first["cameras"] != scene.draws["cameras"]
    assert first["light"] != scene.draws["light"] and first["table"] != scene.draws["table"]


def test_draws_are_json_and_enough_to_show_the_instant_again(scene):
    step = scene.reset(14)
    frames, draws, state = dict(step.observation.images), scene.draws, scene.simulator_state()
    scene.reset(16)
    again = scene.show(json.loads(json.dumps(draws)), state)
    assert all(np.abs(frames[name].astype(int) - again[name]).max() <= 1 for name in frames)


def test_at_least_two_goals_each_seen_and_told_apart(scene):
    for seed in range(0, 40, 2):
        drawn = scene.reset(seed).state.goal
        assert len(scene.goals) >= 2 and len(set(scene.goals)) == len(scene.goals) and drawn in scene.goals


def test_every_thing_turns_up(scene):
    seen = set()
    for seed in range(0, 120, 2):
        scene._draws = scene._randomisation.draw(seed, things=3, pool=scene._pool)
        seen |= {(item["thing"]["shape"], item["thing"]["colour"]) for item in scene._draws["objects"]}
    assert len(seen) == 12


def test_consecutive_observations_share_no_memory(scene):
    step = scene.reset(18)
    before = {name: value.copy() for name, value in step.observation.signals.items()}
    frames = dict(step.observation.images)
    kept = {name: frame.copy() for name, frame in frames.items()}
    after = scene.step(np.array([1, 1, -1, 0, 0, 0.5, 1.0]))
    assert all(np.array_equal(before[name], step.observation.signals[name]) for name in before)
    assert all(np.array_equal(kept[name], frames[name]) for name in kept)
    assert any(not np.array_equal(kept[name], after.observation.images[name]) for name in kept)


def test_no_signal_is_dead(scene):
    values = [signals for _, signals, _ in played(scene, seed=20, steps=12)]
    for name in scene.spec.signals:
        moved = np.stack([signals[name] for signals in values]).std(axis=0) > 1e-6
        if name == "camera_front":
            assert not moved[:3].any()  # it stands where it was put
        else:
            assert (moved[:7] if name == "camera_wrist" else moved).all(), name


def test_a_past_instant_cannot_be_rendered(scene):
    past = scene.reset(22).observation
    scene.step(np.zeros(7))
    with pytest.raises(RuntimeError, match="moved on"):
        past.images["front"]


def test_pictures_stand_upright(scene):
    """The robot's base is behind the table: dark rows on top, the table below."""
    image = scene.reset(24).observation.images["front"].astype(int)
    table = np.array(scene.draws["table"]["rgb"])
    bottom, top = image[-10:].reshape(-1, 3).mean(axis=0), image[:10].reshape(-1, 3).mean(axis=0)
    towards = lambda colour: np.abs(colour / max(colour.max(), 1) - table / table.max()).sum()  # noqa: E731
    assert towards(bottom) < towards(top)


def test_what_is_left_out_of_a_picture_is_not_in_it(scene):
    renderer = scene._renderer
    for seed in range(3):
        scene.reset(seed)
        for camera in scene._parts.cameras.values():
            left_out = renderer.render(camera)
            assert renderer._out_of_view().sum() > 5
            renderer._culls = False
            assert np.array_equal(renderer.render(camera), left_out)
            renderer._culls = True


def test_the_same_picture_after_a_garbage_collection(scene):
    """robosuite#779: a collected context once freed the textures of the current one, silently."""
    step = scene.reset(26)
    before = {name: frame.copy() for name, frame in step.observation.images.items()}
    for _ in range(2):
        Tabletop().close()
        abandoned = Tabletop()
        abandoned.reset(28).observation.images["front"]
        del abandoned  # not closed: left to the collector
        gc.collect()
    assert all(np.array_equal(before[name], scene._renderer.render(scene._parts.cameras[name])) for name in before)


def test_two_scenes_do_not_see_each_other(scene, held_out):
    first, second = dict(scene.reset(30).observation.images), dict(held_out.reset(30).observation.images)
    closed = Tabletop()
    closed.reset(32).observation.images["front"]
    closed.close()
    gc.collect()
    for one, frames in ((scene, first), (held_out, second)):
        for name, frame in frames.items():
            assert np.array_equal(frame, one._renderer.render(one._parts.cameras[name])), name
    assert not np.array_equal(first["front"], second["front"])


def test_it_refuses_what_it_cannot_do(scene):
    scene.reset(34)
    present = {goal.object for goal in scene.goals}
    absent = next(
        t for t in (Thing(s, c) for s in ("cube", "cylinder") for c in ("red", "blue", "green")) if t not in present
    )
    with pytest.raises(UserError, match="there are: lift"):
        scene.tell(Goal("lift", absent), "lift it")
    for action in (np.zeros(6), np.full(7, np.nan)):
        with pytest.raises(UserError, match="expected 7 finite"):
            scene.step(action)
    for options, message in (
        ({"shapes": ("pyramid",)}, "no shape 'pyramid'; there are cube"),
        ({"colours": ("pink",)}, "no colour 'pink'; there are red"),
        ({"cameras": ("left",)}, "no camera 'left'; there are front"),
        ({"things": 1}, "1 things on the table"),
    ):
        with pytest.raises(UserError, match=message):
            Tabletop(**options).reset(0)


def test_a_process_that_renders_can_learn_afterwards():
    """mesa's LLVM and triton's, loaded in the wrong order, end the process without a word."""
    code = (
        "from mmil.scenes import Tabletop; import torch; Tabletop().reset(0).observation.images['front']; "
        "torch.optim.AdamW(torch.nn.Linear(2, 2).parameters()); print('learnt')"
    )
    env = {**os.environ, "MUJOCO_GL": "egl"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, env=env)
    assert "learnt" in done.stdout, f"exit {done.returncode}: {done.stderr[-300:]}"
