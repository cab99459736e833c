"""Depth and segmentation say where things are: every pixel of a thing, put back into the world, lies on that thing."""

import numpy as np
import pytest
import torch

from mmil.contracts import ROBOT, Spec, Thing, UserError
from mmil.contracts.maps import DEEPEST, millimetres
from mmil.experts import Lift
from mmil.pinhole import cell_rays, rotate
from mmil.rollout import rollout
from mmil.scenes import Randomisation, Tabletop
from mmil.scenes.classic import PickPlace
from mmil.scenes.skills import Lift as Lifting
from mmil.scenes.skills import Open, Place, Press
from mmil.scenes.spec import spec_of
from mmil.scenes.things import SHAPES
from mmil.scenes.world import TABLE_TOP

BOTH = ("depth", "segmentation")
OPTIONS = {
    "streams": BOTH,
    "things": 4,
    "fixtures": 3,
    "shapes": ("cube", "cylinder", "ball", "can", "bottle"),
    "skills": (Lifting(), Place(), Press(), Open()),
    "cameras": ("front", "wrist", "side"),
    "image_size": (96, 128),
}


@pytest.fixture(scope="module")
def scene():
    scene = Tabletop(**OPTIONS)
    yield scene
    scene.close()


@pytest.fixture(scope="module")
def stock():
    scene = Tabletop(**OPTIONS, rendering="stock")
    yield scene
    scene.close()


def points(depth: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """(h, w, 3) [m], world: where each pixel's depth [mm] says that its ray ends; NaN where there is none."""
    height, width = depth.shape
    tangent = np.tan(camera[7] / 2)
    rays = cell_rays((height, width), width / height).double() * torch.tensor([tangent, tangent, 1.0])
    world = rotate(torch.tensor(camera[3:7])[None].double(), rays).numpy().reshape(height, width, 3)
    reach = np.where(depth > 0, depth / 1000, np.nan)
    return camera[:3] + reach[..., None] * world


def off_surface(thing: Thing, at: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(n,) [m]: how far points (n, 3) in the thing's frame are from its surface; from its box, if it is a mesh."""
    if SHAPES[thing.shape].geom == "sphere":
        return np.abs(np.linalg.norm(at, axis=1) - half[0])
    if SHAPES[thing.shape].geom == "cylinder":
        outside = np.stack([np.linalg.norm(at[:, :2], axis=1) - half[0], np.abs(at[:, 2]) - half[2]], axis=1)
    else:
        outside = np.abs(at) - half
    deepest = outside.max(axis=1)
    return np.maximum(deepest, 0) if SHAPES[thing.shape].geom == "mesh" else np.abs(deepest)


def seen(observation, bodies) -> dict[str, int]:
    """Pixels of each thing over all cameras, each of which is on that thing's surface."""
    counts = dict.fromkeys(map(str, bodies), 0)
    for camera in observation.images:
        shown = observation.maps[f"{camera}.segmentation"]
        where = points(observation.maps[f"{camera}.depth"], observation.signals[f"camera_{camera}"])
        for label, body in enumerate(bodies, start=1):
            mine = where[shown == label]
            if len(mine) and not body.fixed:
                apart = off_surface(body.thing, (mine - body.position) @ body.rotation, body.half_size)
                assert apart.max() < 0.002, f"{camera}: {body.thing} is {1000 * apart.max():.1f} mm elsewhere"
            counts[str(body)] += len(mine)
    return counts


@pytest.mark.parametrize("rendering", ["scene", "stock"])
def test_every_pixel_of_a_thing_lies_on_it(rendering, request):
    scene = request.getfixturevalue(rendering)
    found = set()
    for seed in (8, 12, 14):
        step = scene.reset(seed)
        counts = seen(step.observation, step.state.bodies)
        assert all(counts[str(body)] > 20 for body in step.state.bodies), counts
        found |= {body.thing.shape for body in step.state.bodies if not body.fixed}
    assert len(found) >= 4


def test_a_held_thing_keeps_its_label_and_its_place(scene):
    cube = next(goal for goal in goals(scene, seed=8) if goal.verb == "lift" and goal.object.shape == "cube")
    episode = rollout(scene, Lift(), seed=8, horizon=80, goal=cube, instruction="lift it")
    last = scene._state()
    held = [body.held for body in last.bodies].index(True)
    assert episode.success and cube.object == episode.things[held]
    for camera in episode.images:
        depth, shown = (episode.maps[f"{camera}.{stream}"][-1] for stream in BOTH)
        mine = points(depth, episode.signals[f"camera_{camera}"][-1])[shown == held + 1]
        body = last.bodies[held]
        assert len(mine) > 5 and np.linalg.norm(mine.mean(axis=0) - last.eef_position) < 0.04
        assert off_surface(body.thing, (mine - body.position) @ body.rotation, body.half_size).max() < 0.002
    assert episode.maps["wrist.depth"].dtype == np.uint16 and (episode.maps["wrist.segmentation"] == ROBOT).any()


def goals(scene, *, seed: int):
    scene.reset(seed)
    return scene.goals


def test_table_robot_and_fixtures(scene):
    step = scene.reset(8)
    bodies, observation = step.state.bodies, step.observation
    shown, signal = observation.maps["front.segmentation"], observation.signals["camera_front"]
    where = points(observation.maps["front.depth"], signal)
    on_table = (shown == 0) & (np.abs(where[..., :2]).max(axis=-1) < 0.35)
    assert on_table.sum() > 2000 and np.abs(where[on_table][:, 2] - TABLE_TOP[2]).max() < 0.003
    robot = where[shown == ROBOT]
    assert len(robot) > 200 and robot[np.abs(robot[:, :2]).max(axis=1) < 0.35][:, 2].min() > TABLE_TOP[2] + 0.05
    fixed = [(label, body) for label, body in enumerate(bodies, start=1) if body.fixed]
    assert len(fixed) == 3 and set(np.unique(shown)) <= {*range(len(bodies) + 1), ROBOT}
    for label, body in fixed:
        mine = where[shown == label]
        assert np.linalg.norm(mine.mean(axis=0)[:2] - body.position[:2]) < 0.12, body.thing


def test_maps_are_of_the_picture_pixel_for_pixel(scene, stock):
    """The depth that comes with a picture is that of the map rendered for itself, and colours fill their labels."""
    step = scene.reset(12)
    camera = scene._robot.cameras["front"]
    picture, metres = scene._renderer.render_deep(camera)
    assert (picture == step.observation.images["front"]).all()
    assert (millimetres(metres) == millimetres(scene._renderer.measure(camera)[0])).all()
    other = stock.reset(12).observation.maps
    for name in ("front.segmentation", "wrist.segmentation", "side.segmentation"):
        mine, theirs = step.observation.maps[name], other[name]
        of_things = (mine > 0) & (mine < ROBOT) & (theirs != ROBOT)
        assert (mine[of_things] == theirs[of_things]).mean() > 0.97 and not stock._renderer.sharp
    for label, item in enumerate(scene.draws["objects"], start=1):
        if SHAPES[item["thing"]["shape"]].coloured:
            mean = picture[step.observation.maps["front.segmentation"] == label].mean(axis=0)
            assert mean @ item["rgb"] / np.linalg.norm(mean) / np.linalg.norm(item["rgb"]) > 0.95


def test_what_is_asked_first_changes_nothing(scene):
    one = scene.reset(14).observation
    maps = {name: one.maps[name].copy() for name in scene.spec.maps}
    assert {name: frame.shape for name, frame in maps.items()} == dict(scene.spec.maps)
    assert {frame.dtype for frame in maps.values()} == {np.dtype(np.uint16), np.dtype(np.uint8)}
    other = scene.reset(14).observation
    images = dict(other.images)  # pictures first, this time
    assert all((other.maps[name] == frame).all() for name, frame in maps.items())
    assert all((one.images[camera] == frame).all() for camera, frame in images.items() if camera in one.images._frames)
    scene.step(np.zeros(7))
    with pytest.raises(RuntimeError, match=r"front\.depth of a past instant"):
        scene.reset(16)
        other = scene.reset(18).observation
        scene.step(np.zeros(7))
        other.maps["front.depth"]


def test_a_stored_instant_is_measured_again(scene):
    step = scene.reset(8)
    maps, draws, state = dict(step.observation.maps), scene.draws, scene.simulator_state()
    scene.reset(10)
    again = scene.retake(draws, state).maps
    assert all((again[name] == frame).all() for name, frame in maps.items())


def test_without_streams_nothing_is_another_one():
    plain = spec_of("tabletop", cameras=("front",), image_size=(8, 8), bodies=3, model="")
    assert "maps" not in plain.to_json() and "depth" not in plain.conventions
    assert Spec.from_json(plain.to_json()) == plain
    both = spec_of("tabletop", cameras=("front",), image_size=(8, 8), bodies=3, model="", streams=BOTH[::-1])
    assert list(both.maps) == ["front.depth", "front.segmentation"] and Spec.from_json(both.to_json()) == both
    assert len(plain.differences(both)) == 4  # two maps, and what they mean
    with pytest.raises(UserError, match="no stream 'flow'; there are depth, segmentation"):
        spec_of("tabletop", cameras=("front",), image_size=(8, 8), bodies=3, model="", streams=("flow",))


def test_maps_are_as_late_and_as_dead_as_their_camera():
    scene = Tabletop(
        streams=BOTH,
        image_size=(48, 48),
        randomisation=Randomisation(profile="strong", only=("images",), values={"camera_loss": 1.0}),
    )
    try:
        episodes = [rollout(scene, Lift(), seed=seed, horizon=12) for seed in (2, 6)]
        for episode in episodes:
            (dead,) = [camera for camera, frames in episode.images.items() if not frames.any()]
            assert not any(episode.maps[f"{dead}.{stream}"].any() for stream in BOTH)
            alive = "wrist" if dead == "front" else "front"
            clean = [scene.retake(episode.draws, state) for state in episode.states]
            again = scene.sense(episode.draws, clean)
            assert all(
                (one.maps[name] == episode.maps[name][i]).all() for i, one in enumerate(again) for name in one.maps
            )
            apart = [(clean[i].maps[f"{alive}.depth"] != episode.maps[f"{alive}.depth"][i]).any() for i in range(13)]
            assert any(apart) or not episode.draws["sensors"]["image_latency"]
        assert any(episode.draws["sensors"]["image_latency"] for episode in episodes)
    finally:
        scene.close()


def test_a_classic_scene_gives_them_too():
    scene = PickPlace(streams=BOTH)
    try:
        step = scene.reset(2)
        shown = step.observation.maps["front.segmentation"]
        where = points(step.observation.maps["front.depth"], step.observation.signals["camera_front"])
        for label, body in enumerate(step.state.bodies, start=1):
            mine = where[shown == label]
            if body.fixed:
                assert not len(mine)  # a compartment is a place and no thing
            elif len(mine):
                assert (np.abs((mine - body.position) @ body.rotation) - body.half_size).max() < 0.003, body.thing
        assert {1, 2, 3, 4, ROBOT} <= set(np.unique(shown))
    finally:
        scene.close()


def test_millimetres_round_and_know_their_range():
    metres = np.array([0.0004, 0.0006, 1.2344, 65.535, 65.5356, np.inf, np.nan, -1.0])
    assert millimetres(metres).tolist() == [0, 1, 1234, DEEPEST, 0, 0, 0, 0]
