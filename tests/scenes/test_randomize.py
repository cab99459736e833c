"""Bands: training stays inside, held-out stays outside, and a switched-off axis moves no other."""

import numpy as np
import pytest

from mmil.contracts import UserError
from mmil.scenes.randomize import CLEARANCE, NOMINAL, Randomisation, draw_objects, orbit
from mmil.scenes.things import every_thing

SEEDS = range(0, 200, 2)


def fronts(**options) -> list[dict]:
    draw = Randomisation(**options).draw
    return [draw(seed, things=3, pool=every_thing())["cameras"]["front"] for seed in SEEDS]


def test_training_cameras_lie_inside_the_band_and_held_out_ones_outside():
    widths = {"azimuth": 14.0, "elevation": 5.0, "distance": 0.06}
    for name, width in widths.items():
        inside = [abs(front[name] - NOMINAL[name]) for front in fronts(cameras="train")]
        outside = [abs(front[name] - NOMINAL[name]) for front in fronts(cameras="held_out")]
        assert max(inside) <= width < min(outside) and max(outside) <= 1.5 * width + 1e-9
        assert max(inside) > 0.9 * width


def test_without_a_band_the_camera_stands_still():
    assert len({tuple(front["position"]) for front in fronts(cameras="none")}) == 1


def test_one_axis_moves_no_other():
    pool = every_thing()
    plain, dark = Randomisation().draw(6, things=3, pool=pool), Randomisation(light=False).draw(6, things=3, pool=pool)
    assert {key for key in plain if plain[key] != dark[key]} == {"light"}
    held_out = Randomisation(cameras="held_out").draw(6, things=3, pool=pool)
    assert {key for key in plain if plain[key] != held_out[key]} == {"cameras"}


def test_things_keep_their_distance_and_differ():
    for seed in SEEDS:
        objects = draw_objects(np.random.default_rng(seed), count=4, pool=every_thing())
        spots = np.array([item["position"] for item in objects])
        gaps = np.linalg.norm(spots[:, None] - spots[None], axis=2) + np.eye(4)
        assert gaps.min() >= CLEARANCE
        assert len({(item["thing"]["shape"], item["thing"]["colour"]) for item in objects}) == 4


def test_a_full_table_is_told():
    with pytest.raises(UserError, match="no room for 12 things"):
        draw_objects(np.random.default_rng(0), count=12, pool=every_thing())


def test_orbit_looks_at_its_target():
    target = np.array([0.1, -0.2, 0.9])
    position, (w, x, y, z) = orbit(target, azimuth=20, elevation=40, distance=0.7, roll=0)
    assert np.linalg.norm(position - target) == pytest.approx(0.7)
    backward = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])  # the camera's z axis
    assert backward == pytest.approx((position - target) / 0.7)
