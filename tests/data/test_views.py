"""Cached features in several views and with depth: what was drawn is what was written, and a hash tells them apart."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmil.contracts import UserError
from mmil.data.augment import Colour, Shift
from mmil.data.cache import write_features
from mmil.data.dataset import Dataset
from mmil.data.module import WindowData
from mmil.data.views import Views
from mmil.encoders.depth import GRID, on_grid
from tests.plane import build

BRIGHT = (Colour(brightness=0.5, contrast=0, saturation=0, hue=0),)
VIEWS = Views(count=3, transforms=BRIGHT)


@pytest.fixture(scope="module")
def several(counting, mean_features, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("several")
    write_features(counting.path, out, mean_features, fingerprint={}, views=VIEWS)
    return out


def windows(path, cache, **options) -> WindowData:
    fixed = {"batch_size": 8, "workers": 0, "validation": 0.3, "past": 2}
    return WindowData(path=path, cache=cache, **{**fixed, **options})


def test_training_draws_a_view_at_each_reading_and_validation_sees_what_is_there(counting, several):
    module = windows(counting.path, several, views=3, augment=BRIGHT)
    loader = module.train_dataloader()
    drawn = []
    for _ in range(2):
        seen = set()
        for batch in loader:
            numbers = batch.signals["gripper_pos"]
            own = (4 * (numbers % 100)).half()  # the grey of the frame as it is
            for row, (first, last) in enumerate(batch.images["front"][0].mean(dim=(2, 3, 4)).tolist()):
                own_first, own_last = own[row].tolist()
                if own_first > 40:  # both frames of a window under one draw
                    assert last / own_last == pytest.approx(first / own_first, rel=0.05)
                if own_last > 40:
                    seen.add((int(numbers[row, -1]), round(last / own_last, 1)))
        drawn.append(seen)
    assert drawn[0] != drawn[1] and len({ratio for _, ratio in drawn[0]}) > 2
    for batch in module.val_dataloader():
        grey = batch.images["front"][0].mean(dim=(2, 3, 4))
        torch.testing.assert_close(grey, (4 * (batch.signals["gripper_pos"] % 100)).half())


def test_views_are_drawn_once_an_episode_and_camera():
    frames = np.full((4, 8, 8, 3), 100, np.uint8)

    def views(key: str, camera: str) -> np.ndarray:
        return VIEWS.of(frames, key=key, camera=camera)[0].reshape(3, 4, -1)

    seen = views("one", "front")
    assert (seen[0] == 100).all() and (seen == seen[:, :1, :1]).all()
    assert (seen == views("one", "front")).all()
    others = [views(key, camera)[2].mean() for key, camera in (("two", "front"), ("one", "wrist"))]
    assert len({seen[1].mean(), seen[2].mean(), *others}) == 4


def test_a_cache_of_other_views_is_refused(counting, several, mean_features):
    for views in (None, Views(count=2, transforms=BRIGHT), Views(count=3, transforms=(Shift(pixels=1),))):
        with pytest.raises(UserError, match="caches other features"):
            write_features(counting.path, several, mean_features, fingerprint={}, views=views)
    with pytest.raises(UserError, match="augment names nothing"):
        Views(count=2)
    with pytest.raises(UserError, match="views is 0"):
        Views(count=0)


def coarse(name: str, frames: np.ndarray) -> list[np.ndarray]:
    if name.endswith(".depth"):
        return [on_grid(torch.from_numpy(frames.astype(np.float32) / 1000)[:, None]).half().numpy()]
    return [np.zeros((len(frames), 2, 4, 4), np.float16)]


@pytest.fixture(scope="module")
def plane(tmp_path_factory) -> Dataset:
    from functools import partial

    from tests.plane import Plane

    out = tmp_path_factory.mktemp("plane") / "data"
    build(out, episodes=4, scene=partial(Plane, streams=["depth"]))
    return Dataset.open(out)


@pytest.mark.parametrize("views", [1, 2])
def test_depth_comes_in_metres_from_images_and_coarse_from_a_cache(plane, tmp_path, views):
    augment = BRIGHT if views > 1 else ()
    told = {"views": Views(count=views, transforms=augment), "maps": ("top.depth", "side.depth")}
    write_features(plane.path, tmp_path, coarse, fingerprint={}, **told)
    images = windows(plane.path, None, maps=["depth"], validation=0.5)
    cached = windows(plane.path, tmp_path, maps=["depth"], validation=0.5, views=views, augment=augment)
    images.setup()
    for one, two in zip(images.val_dataloader(), cached.val_dataloader(), strict=True):
        assert list(one.maps) == list(two.maps) == ["top.depth", "side.depth"] and list(two.images) == ["top", "side"]
        full = one.maps["top.depth"]
        assert full.shape[1:] == (2, 1, 40, 40) and set(full.unique().tolist()) <= {np.float32(0.95), 1.0}
        pooled = on_grid(full.flatten(0, 1)).unflatten(0, full.shape[:2])
        torch.testing.assert_close(two.maps["top.depth"], pooled, atol=1e-3, rtol=0)
        assert two.maps["top.depth"].shape[3:] == (GRID, GRID)
    for batch in cached.train_dataloader():  # of whichever view
        assert batch.maps["side.depth"].min() > 0.9 and batch.maps["side.depth"].max() < 1.01


def test_depth_that_is_not_there_is_refused(counting, several, plane, tmp_path):
    with pytest.raises(UserError, match="has no depth; its maps: none"):
        windows(counting.path, None, maps=["depth"]).setup()
    write_features(plane.path, tmp_path, coarse, fingerprint={})
    with pytest.raises(UserError, match=r"no map 'side\.depth', 'top\.depth' in"):
        windows(plane.path, tmp_path, maps=["depth"]).train_dataloader()
