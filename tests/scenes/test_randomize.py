"""Bands: training stays inside, held-out stays outside, and a switched-off axis moves no other."""

import numpy as np
import pytest

from mmil.contracts import Infeasible, Thing, UserError
from mmil.scenes.cameras import NOMINAL, orbit
from mmil.scenes.layout import CLEARANCE, Needs, draw_layout, draw_objects
from mmil.scenes.profiles import AXES, load_bands, profile_names
from mmil.scenes.randomize import Randomisation
from mmil.scenes.things import BASIC, COLOURS, every_thing

POOL = every_thing(BASIC, COLOURS)

SEEDS = range(0, 200, 2)


def fronts(**options) -> list[dict]:
    draw = Randomisation(**options).draw
    return [draw(seed, things=3, pool=POOL)["cameras"]["front"] for seed in SEEDS]


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
    plain, dark = (
        Randomisation().draw(6, things=3, pool=POOL),
        Randomisation(values={"light": 0}).draw(6, things=3, pool=POOL),
    )
    assert {key for key in plain if plain[key] != dark[key]} == {"light"}
    held_out = Randomisation(cameras="held_out").draw(6, things=3, pool=POOL)
    assert {key for key in plain if plain[key] != held_out[key]} == {"cameras"}


def test_things_keep_their_distance_and_differ():
    for seed in SEEDS:
        objects = draw_objects(np.random.default_rng(seed), count=4, pool=POOL)
        spots = np.array([item["position"] for item in objects])
        gaps = np.linalg.norm(spots[:, None] - spots[None], axis=2) + np.eye(4)
        assert gaps.min() >= CLEARANCE
        assert len({(item["thing"]["shape"], item["thing"]["colour"]) for item in objects}) == 4


def test_a_verb_finds_what_it_needs_and_others_draw_as_before():
    needs = Needs("stack", shapes=("cube", "bar"), others=("cube", "bread"))
    pool = every_thing(("cube", "bar", "bread", "ball", "milk", "lemon"), ("red", "blue"))
    for seed in SEEDS:
        plain, found = (
            [Thing(**item["thing"]) for item in draw_objects(np.random.default_rng(seed), count=3, pool=pool, **more)]
            for more in ({}, {"needs": needs})
        )
        tops = [thing for thing in found if thing.shape in needs.shapes]
        assert any(other.shape in needs.others for top in tops for other in found if other != top)
        assert len(set(found)) == 3
        tops = [thing for thing in plain if thing.shape in needs.shapes]
        if tops and any(other.shape in needs.others for other in plain if other != tops[0]):
            assert found == plain
    alone = [Thing("cube", "red"), Thing("ball", "red")]
    assert draw_objects(np.random.default_rng(0), count=2, pool=alone, needs=needs)  # nothing to add: as it is


def test_a_full_table_is_told():
    streams = [np.random.default_rng(0) for _ in range(2)]
    with pytest.raises(Infeasible, match="no room for 12 things"):
        draw_layout(*streams, things=12, pool=POOL, fixtures=0, available=[], colours=tuple(COLOURS))


@pytest.mark.parametrize("axis", AXES)
def test_an_axis_of_a_profile_moves_what_it_is_named_for(axis):
    draws = [Randomisation(profile="strong", only=[axis]).draw(seed, things=3, pool=POOL) for seed in SEEDS[:20]]
    still = [Randomisation(profile="none").draw(seed, things=3, pool=POOL) for seed in SEEDS[:20]]
    moved = {key for one, other in zip(draws, still, strict=True) for key in one if one[key] != other[key]}
    where = {
        **{"cameras": {"cameras", "sensors"}, "light": {"light"}, "look": {"table", "room"}, "robot": {"robot"}},
        **{"objects": {"objects", "physics"}, "control": {"control"}, "images": {"sensors"}, "signals": {"sensors"}},
    }
    assert moved == where[axis]


def test_profiles_grow_from_none_to_strong():
    assert profile_names() == ["basic", "mild", "none", "strong"]
    none, mild, strong = (vars(load_bands(name)) for name in ("none", "mild", "strong"))
    assert not any(none.values()) and set().union(*AXES.values()) == set(none)
    assert all(mild[name] <= strong[name] for name in none) and all(strong.values())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"profile": "wild"}, "no profile of randomisation 'wild'; there are basic, mild, none, strong"),
        ({"only": ["colour"]}, "no axis of randomisation 'colour'; there are cameras, light, look"),
        ({"values": {"azimut": 3}}, "no band 'azimut'; there are azimuth, elevation"),
        ({"values": {"azimuth": -3}}, "azimuth is -3; a band is a number, 0 or more"),
    ],
)
def test_what_there_is_not_is_told(options, said):
    with pytest.raises(UserError, match=said):
        Randomisation(**options)


def test_orbit_looks_at_its_target():
    target = np.array([0.1, -0.2, 0.9])
    position, (w, x, y, z) = orbit(target, azimuth=20, elevation=40, distance=0.7, roll=0)
    assert np.linalg.norm(position - target) == pytest.approx(0.7)
    backward = np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])  # the camera's z axis
    assert backward == pytest.approx((position - target) / 0.7)
