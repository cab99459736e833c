"""What is wrong with cameras and signals is drawn, small, and the same when an episode is replayed."""

from itertools import pairwise

import numpy as np
import pytest

from mmil.experts import Lift
from mmil.rollout import rollout
from mmil.scenes import Randomisation, Tabletop
from mmil.scenes.sensors import Sensors

PERFECT = {
    **{"seed": 3, "image_noise": 0.0, "image_loss": 0.0, "image_latency": 0},
    **{"signal_noise": 0.0, "signal_loss": 0.0, "signal_latency": 0, "dead_camera": None},
}


def frames(**draws):
    """What is shown of pictures whose every pixel is 10 · instant."""
    sensors = Sensors({**PERFECT, **draws}, ("front", "wrist"))
    return [dict(sensors.sights(lambda camera, i=i: np.full((4, 4, 3), 10 * i, np.uint8))[0]) for i in range(12)]


def readings(**draws):
    sensors = Sensors({**PERFECT, **draws}, ("front",))
    return [sensors.signals({"wrench": np.full((5, 6), float(i)), "camera_front": np.ones(8)}) for i in range(12)]


def test_perfect_sensors_change_nothing():
    assert [int(shown["wrist"].mean()) for shown in frames()] == [10 * i for i in range(12)]
    assert [float(read["wrench"].mean()) for read in readings()] == [float(i) for i in range(12)]


def test_late_sensors_show_what_was():
    assert [int(shown["front"].mean()) for shown in frames(image_latency=2)] == [0, 0, *(10 * i for i in range(10))]
    late = [float(read["wrench"].mean()) for read in readings(signal_latency=3)]
    assert late == [0.0, 0.0, 0.0, *(float(i) for i in range(9))]


def test_a_lost_frame_is_the_last_one_again():
    shown = [int(one["front"].mean()) for one in frames(image_loss=0.5)]
    assert shown[0] == 0 and all(b in (a, 10 * i) for i, (a, b) in enumerate(pairwise(shown), 1))
    assert 2 <= sum(a == b for a, b in pairwise(shown)) <= 9


def test_a_dead_camera_is_black_and_the_other_lives():
    shown = frames(dead_camera=0.9)
    assert not any(one["wrist"].any() for one in shown) and shown[5]["front"].mean() == 50
    assert frames(dead_camera=0.1)[5]["wrist"].mean() == 50


def test_noise_is_as_large_as_drawn_and_spares_what_was_calibrated():
    noise = np.stack([one["front"] for one in frames(image_noise=5.0)][6:]).astype(float)
    assert 3 < (noise - np.arange(6, 12).reshape(-1, 1, 1, 1) * 10).std() < 7
    read = readings(signal_noise=0.02)
    errors = np.stack([one["wrench"] - i for i, one in enumerate(read)])
    assert 0.1 < errors.std() < 0.3  # 2 % of 10 N
    assert all((one["camera_front"] == 1).all() for one in read)
    turned = Sensors({**PERFECT, "signal_noise": 0.02}, ("front",)).signals({"eef_quat_xyzw": np.eye(4)[0]})
    assert np.linalg.norm(turned["eef_quat_xyzw"]) == pytest.approx(1) and turned["eef_quat_xyzw"][0] < 1


def test_one_camera_more_changes_no_other_sensor():
    faults = {**PERFECT, "image_noise": 5.0, "image_loss": 0.3, "signal_noise": 0.1, "signal_loss": 0.3}

    def read(cameras, size):
        sensors = Sensors(faults, cameras)
        for i in range(6):
            shown = sensors.sights(lambda camera, i=i: np.full((size, size, 3), 20 * i, np.uint8))[0]["front"]
            yield sensors.signals({"joint_pos": np.arange(7.0) + i, "wrench": np.zeros((5, 6))}), shown

    few, more, larger = read(("front",), 8), read(("front", "wrist", "side"), 8), read(("front",), 16)
    for (signals, shown), (others, again), (third, _) in zip(few, more, larger, strict=True):
        assert (shown == again).all()
        assert all((signals[name] == others[name]).all() for name in signals)
        assert all((signals[name] == third[name]).all() for name in signals)


@pytest.mark.parametrize("profile", ["strong"])
def test_a_strongly_randomised_episode_is_the_same_again(profile):
    scene = Tabletop(randomisation=Randomisation(profile=profile), image_size=(48, 48), horizon=30)
    try:
        for seed in (2, 4):
            one, other = (rollout(scene, Lift(), seed=seed, horizon=25) for _ in range(2))
            assert (one.states == other.states).all()
            assert all((one.signals[name] == other.signals[name]).all() for name in one.signals)
            assert all((one.images[camera] == other.images[camera]).all() for camera in one.images)
    finally:
        scene.close()
