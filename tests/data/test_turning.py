"""A camera that is turned shows every point where its new pose says, as deep as it is from there."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mmil.contracts import UserError
from mmil.data.augment import Colour, Erase, Shot, augment, augment_batch, posed
from mmil.data.cache import write_features
from mmil.data.module import WindowData
from mmil.data.turning import Turn
from mmil.data.views import Views
from mmil.pinhole import cell_rays, joined, picture_place, rotate
from tests.data.conftest import counting_episode, small_spec, write_dataset

HEIGHT, WIDTH = 96, 128
ASPECT = WIDTH / HEIGHT
TURN = Turn(degrees=8, zoom=0.2)
FIELD = 0.9  # [rad]


def quaternions(*shape: int, seed: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, 4, generator=torch.Generator().manual_seed(seed)), dim=-1)


def cameras(batch: int, past: int) -> torch.Tensor:
    """(B, K, 8), each of its own."""
    places = torch.randn(batch, past, 3, generator=torch.Generator().manual_seed(1))
    return torch.cat([places, quaternions(batch, past, seed=2), torch.full((batch, past, 1), FIELD)], dim=-1)


def before(pose: torch.Tensor, point: tuple[float, float, float]) -> torch.Tensor:
    """A point of the world (…, 3) that lies there in the camera's frame."""
    return pose[..., :3] + rotate(pose[..., None, 3:7], torch.tensor([point]))[..., 0, :]


def pixel(place: torch.Tensor) -> torch.Tensor:
    """Row and column of a place in [−1, 1]."""
    return (place + 1) / 2 * torch.tensor([HEIGHT, WIDTH]) - 0.5


@pytest.mark.parametrize("point", [(0.1, 0.05, -0.7), (-0.2, -0.1, -0.6), (0.0, 0.0, -2.0)])
def test_a_point_is_seen_where_the_pose_says(point):
    pose = cameras(12, 2)
    there = before(pose, point)
    at = pixel(picture_place(pose, there, aspect=ASPECT)[0])
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    spot = torch.exp(-((rows - at[..., 0, None, None]) ** 2 + (columns - at[..., 1, None, None]) ** 2) / 8)
    images = (255 * spot).to(torch.uint8)[:, :, None].expand(-1, -1, 3, -1, -1)
    shown = TURN.shot(Shot(images, pose), generator=torch.Generator().manual_seed(3))
    weight = shown.images[:, :, 0].float()
    seen = torch.stack([(weight * axis).sum(dim=(2, 3)) for axis in (rows, columns)], dim=-1)
    seen = seen / weight.sum(dim=(2, 3))[..., None]
    place, inside = picture_place(shown.pose, there, aspect=ASPECT)
    assert inside.all() and (pixel(place) - seen).abs().max() < 0.5
    assert (seen - at).norm(dim=-1).max() > 8 and torch.equal(shown.pose[..., :3], pose[..., :3])


def test_depth_is_what_the_turned_camera_would_measure():
    pose = cameras(8, 1)
    normal, away = torch.tensor([0.2, -0.1, 1.0]), 0.8  # a plane before the camera, in its frame: n · x = −away

    def measured(rays: torch.Tensor) -> torch.Tensor:
        """(…, N) of rays that lie 1 ahead, in the frame of the camera that took the picture."""
        return -away / (rays @ normal)

    rays = cell_rays((HEIGHT, WIDTH), ASPECT) * torch.tensor([*[torch.tan(torch.tensor(FIELD / 2))] * 2, 1.0])
    depth = measured(rays).view(1, 1, 1, HEIGHT, WIDTH).expand(8, 1, -1, -1, -1)
    images = torch.zeros(8, 1, 3, HEIGHT, WIDTH, dtype=torch.uint8)
    shown = TURN.shot(Shot(images, pose, depth), generator=torch.Generator().manual_seed(4))
    field = torch.tan(shown.pose[..., 7:, None] / 2)
    ours = cell_rays((HEIGHT, WIDTH), ASPECT) * torch.cat([field, field, torch.ones_like(field)], dim=-1)
    points = rotate(shown.pose[..., None, 3:7], shown.depth.flatten(2)[..., None] * ours)  # from the camera, world
    back = rotate(pose[..., None, 3:7] * torch.tensor([-1.0, -1.0, -1.0, 1.0]), points)
    known = shown.depth.flatten(2) > 0
    assert 0.6 < known.float().mean() < 1  # beyond the picture nothing was measured
    assert ((back @ normal + away).abs()[known] < 0.01).all()


def test_a_pose_alone_is_told_alike():
    pose = cameras(4, 3)
    images = torch.zeros(4, 3, 3, HEIGHT, WIDTH, dtype=torch.uint8)
    transforms = (Colour(), TURN, Erase(share=1.0), Turn(degrees=2))
    shown = augment(Shot(images, pose), transforms, seed=7)
    assert torch.equal(shown.pose, posed(pose, transforms, seed=7))
    assert not torch.equal(shown.pose, posed(pose, transforms, seed=8))
    assert torch.allclose(shown.pose[..., 3:7].norm(dim=-1), torch.ones(4, 3))


def test_frames_of_a_sample_turn_alike_and_samples_do_not():
    pose = cameras(5, 1).expand(-1, 3, -1)
    turned = posed(pose, [TURN], seed=0)
    assert (turned == turned[:, :1]).all() and len(turned[:, 0, 3].unique()) == 5
    fields = turned[:, 0, 7]
    assert len(fields.unique()) == 5 and (torch.tan(fields / 2) / torch.tan(torch.tensor(FIELD / 2)) < 1.2001).all()


def test_turns_join_as_their_matrices_do():
    first, second = quaternions(6, seed=5), quaternions(6, seed=6)
    vectors = torch.randn(6, 3, generator=torch.Generator().manual_seed(7))
    one = rotate(joined(first, second)[:, None], vectors[:, None])
    assert torch.allclose(one, rotate(first[:, None], rotate(second[:, None], vectors[:, None])), atol=1e-5)


def test_what_cannot_be_turned_is_refused():
    images = torch.zeros(1, 1, 3, HEIGHT, WIDTH, dtype=torch.uint8)
    with pytest.raises(UserError, match="whose pose the data have"):
        TURN.shot(Shot(images))
    with pytest.raises(UserError, match="degrees 90"):
        Turn(degrees=90)
    still = Shot(images, cameras(1, 1))
    assert Turn(degrees=0, zoom=0).shot(still) is still


@pytest.fixture(scope="module")
def posed_data(tmp_path_factory) -> Path:
    """Episodes of cameras that say how they stand; the wrist's moves."""
    spec = small_spec(signals={"gripper_pos": (), "camera_front": (8,), "camera_wrist": (8,)})
    episodes = []
    for number in range(6):
        episode = counting_episode(number, 7, spec=spec)
        poses = cameras(2, 8).numpy()
        poses[0] = poses[0, :1]
        signals = {**episode.signals, "camera_front": poses[0], "camera_wrist": poses[1]}
        episodes.append(replace(episode, signals=signals))
    return write_dataset(tmp_path_factory.mktemp("posed"), episodes, spec=spec)


def test_a_cached_view_is_read_with_its_pose(posed_data, tmp_path, mean_features):
    transforms = (Colour(brightness=0.5, contrast=0, saturation=0, hue=0), TURN)
    views = Views(count=3, transforms=transforms)
    write_features(posed_data, tmp_path, mean_features, fingerprint={}, views=views)
    module = WindowData(path=posed_data, cache=tmp_path, views=3, augment=transforms, batch_size=4, workers=0, past=2)
    ratios: dict[float, list[float]] = {}
    for batch in module.train_dataloader():
        numbers = batch.signals["gripper_pos"]
        for row, stood in enumerate(batch.signals["camera_front"]):
            field = round(float(stood[0, 7]), 4)
            assert (stood[0] == stood[1]).all()  # it stands still, and one draw is of all frames
            bright = batch.images["front"][0][row, 1].float().mean() / (4 * (numbers[row, 1] % 100)).clamp(min=1)
            if numbers[row, 1] % 100 > 3:
                ratios.setdefault(field, []).append(float(bright))
            wrist = batch.signals["camera_wrist"][row]
            assert not torch.equal(wrist[0, 3:7], wrist[1, 3:7]) or numbers[row, 0] == numbers[row, 1]
    assert len(ratios) > 6 and all(max(seen) - min(seen) < 0.08 for seen in ratios.values())  # one pose, one picture
    for batch in module.val_dataloader():
        assert torch.allclose(batch.signals["camera_front"][..., 7], torch.tensor(FIELD))


def test_a_batch_is_augmented_with_what_is_known_of_its_cameras(posed_data):
    module = WindowData(path=posed_data, batch_size=4, workers=0, validation=0, augment=[TURN])
    batch = next(iter(module.train_dataloader()))
    pose, other = batch.signals["camera_front"].clone(), batch.signals["camera_wrist"].clone()
    augment_batch(batch, module.views.transforms, seed=1)
    front, wrist = batch.signals["camera_front"], batch.signals["camera_wrist"]
    assert torch.equal(front[..., :3], pose[..., :3]) and not torch.isclose(front[..., 7], pose[..., 7]).any()
    assert not torch.allclose(front[..., 7], wrist[..., 7])  # each camera by itself
    assert torch.equal(wrist[..., :3], other[..., :3]) and batch.images["front"].dtype == torch.uint8
