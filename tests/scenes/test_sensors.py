"""What is wrong with cameras and signals is drawn, small, and the same when an episode is replayed."""

from itertools import pairwise

import numpy as np
import pytest

from mmil.contracts import UserError
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


def test_a_slow_camera_shows_its_last_picture_meanwhile():
    assert [int(one["front"].mean()) for one in frames(image_every=4)] == [0] * 4 + [40] * 4 + [80] * 4
    noisy = [one["front"] for one in frames(image_every=4, image_noise=5.0)]
    assert (noisy[4] == noisy[7]).all() and not (noisy[4] == noisy[8]).all()
    late = [int(one["front"].mean()) for one in frames(image_every=4, image_latency=1)]
    assert late == [0] * 5 + [40] * 4 + [80] * 3


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


def test_nothing_is_rendered_that_nobody_looks_at_but_what_is_shown_again():
    """And what is seen is the same, whoever looked before."""
    faults = {**PERFECT, "image_noise": 5.0, "image_loss": 0.2}

    def watched(every):
        sensors, rendered, seen = Sensors(faults, ("front", "wrist")), [], {}
        for i in range(40):

            def render(camera, i=i):
                rendered.append((camera, i))
                return np.full((8, 8, 3), 5 * i, np.uint8)

            shown = sensors.sights(render)[0]
            if i % every == 0:
                seen[i] = shown["wrist"]
        return rendered, seen

    everything, seldom = watched(1), watched(8)
    assert all((everything[1][i] == picture).all() for i, picture in seldom[1].items())
    assert len(seldom[0]) == len(set(seldom[0])) < 40
    assert {i for camera, i in everything[0] if camera == "wrist"} < set(range(40))  # lost ones were never rendered


def test_noise_on_pictures_is_normal():
    sensors = Sensors({**PERFECT, "image_noise": 4.0}, ("front",))
    shown = sensors.sights(lambda camera: np.full((128, 128, 3), 100, np.uint8))[0]["front"].astype(float) - 100
    assert abs(shown.mean()) < 0.1 and shown.std() == pytest.approx(4, rel=0.02)
    assert [(abs(shown) > 4 * k).mean() for k in (1, 2)] == pytest.approx([0.26, 0.034], abs=0.02)
    assert abs(np.corrcoef(shown[:, :-1].ravel(), shown[:, 1:].ravel())[0, 1]) < 0.02


def test_a_scene_of_slow_cameras_renders_as_seldom():
    with pytest.raises(UserError, match="camera_every is 0"):
        Tabletop(camera_every=0)
    scene = Tabletop(randomisation=Randomisation(profile="mild"), image_size=(48, 48), horizon=30, camera_every=4)
    try:
        episode = rollout(scene, Lift(), seed=2, horizon=21)
        assert episode.draws["sensors"]["image_every"] == 4
        for images in episode.images.values():
            new = [i for i, (a, b) in enumerate(pairwise(images), 1) if (a != b).any()]
            assert set(new) <= set(range(4, 21, 4)) and len(new) >= 3  # but for those that are lost
    finally:
        scene.close()
