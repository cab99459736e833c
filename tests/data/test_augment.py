"""Augmentation is drawn a sample, keeps left on the left, and does nothing at zero strength."""

from functools import partial

import pytest
import torch

from mmil.contracts import UserError
from mmil.data.augment import Colour, Crop, Erase, Shift, Shot, augment

OFF = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (6, 3, 3, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def place() -> torch.Tensor:
    """(B, 2, 3, 20, 24): each pixel says its row and column; B samples and K frames alike."""
    y, x = torch.meshgrid(torch.arange(20), torch.arange(24), indexing="ij")
    return torch.stack([y, x, y]).to(torch.uint8).expand(16, 2, 3, 20, 24)


def test_a_shift_moves_each_sample_by_itself_and_its_frames_together():
    moved = Shift(pixels=3)(place(), generator=seeded()).long()
    assert moved.shape == (16, 2, 3, 20, 24)
    dy, dx = moved[:, :, 0, 10, 12] - 10, moved[:, :, 1, 10, 12] - 12  # (B, K)
    assert (dy[:, 0] == dy[:, 1]).all() and (dx[:, 0] == dx[:, 1]).all()
    assert len({(int(y), int(x)) for y, x in zip(dy[:, 0], dx[:, 0], strict=True)}) > 8
    assert max(dy.abs().max(), dx.abs().max()) == 3
    rows = (torch.arange(20) + dy[:, :1]).clamp(0, 19)  # edges repeat
    assert (moved[:, 0, 0, :, 5] == rows).all()


def test_nothing_is_ever_flipped():
    for seed in range(20):
        moved = augment(Shot(place()), [Shift(pixels=6)], seed=seed).images.long()
        assert (moved[:, :, 1].diff(dim=-1) >= 0).all() and (moved[:, :, 0].diff(dim=-2) >= 0).all()


def test_zero_strength_changes_nothing(images):
    assert Shift(pixels=0)(images) is images
    assert Colour(**OFF)(images) is images
    tiny = Colour(brightness=1e-7, contrast=1e-7, saturation=1e-7, hue=1e-7)
    assert (tiny(images, generator=seeded()) == images).all()


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_each_property_strays_a_sample_and_stays_in_range(images, name):
    images = images[:1, :1].expand(6, 2, 3, 20, 24)
    changed = Colour(**{**OFF, name: 0.5})(images, generator=seeded())
    assert changed.dtype == torch.uint8 and changed.shape == images.shape
    assert (changed[:, 0] == changed[:, 1]).all()  # frames of a sample alike
    assert all((changed[0] != changed[i]).any() for i in range(1, 6))  # samples not


def test_what_each_property_means():
    grey = torch.full((64, 1, 3, 8, 8), 200, dtype=torch.uint8)
    assert (Colour(**{**OFF, "hue": 0.5, "saturation": 1.0})(grey, generator=seeded()) == 200).all()
    assert (Colour(**{**OFF, "contrast": 1.0})(grey, generator=seeded()) == 200).all()
    bright = Colour(**{**OFF, "brightness": 1.0})(grey, generator=seeded())
    assert bright.max() == 255 and bright.min() < 200  # held at white, not wrapped round to black
    red = torch.zeros(64, 1, 3, 4, 4, dtype=torch.uint8)
    red[:, :, 0] = 200
    assert (Colour(hue=0.01)(red, generator=seeded()).float().argmax(dim=2) == 0).all()  # red stays red


def test_the_seed_decides(images):
    both = [Shift(pixels=4), Colour()]
    first, again, other = (augment(Shot(images), both, seed=seed).images for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_impossible_strengths_are_refused():
    with pytest.raises(UserError, match="-1"):
        Shift(pixels=-1)
    with pytest.raises(UserError, match="hue is"):
        Colour(hue=0.7)


def test_a_crop_is_nearer_and_the_same_for_the_frames_of_a_sample():
    seen = Crop(least=0.5)(place(), generator=seeded()).long()
    assert seen.shape == (16, 2, 3, 20, 24) and (seen[:, 0] == seen[:, 1]).all()
    rows, columns = seen[:, 0, 0, :, 0], seen[:, 0, 1, 0]
    assert (rows.diff(dim=1) >= 0).all() and (columns.diff(dim=1) >= 0).all()  # nothing is turned over
    spans = (rows[:, -1] - rows[:, 0] + 1) / 20
    assert 0.45 <= spans.min() < 0.7 < spans.max() <= 1 and len(set(rows[:, 0].tolist())) > 4
    assert Crop(least=1.0)(place()) is not None and torch.equal(Crop(least=1.0)(place()), place())
    tiny = Crop(least=1 - 1e-6)(place(), generator=seeded())
    assert (tiny.long() - place().long()).abs().max() <= 1


def test_a_rectangle_is_erased_from_some_samples_and_from_all_their_frames():
    images = torch.zeros(400, 2, 3, 20, 24, dtype=torch.uint8)
    seen = Erase(share=0.4, least=0.1, most=0.2)(images, generator=seeded())
    assert (seen[:, 0] == seen[:, 1]).all()
    hidden = (seen[:, 0] > 0).any(dim=1)  # (B, 20, 24)
    erased = hidden.flatten(1).any(dim=1)
    assert 0.32 < erased.float().mean() < 0.48
    areas = hidden[erased].flatten(1).float().mean(dim=1)
    assert areas.min() > 0.07 and areas.max() < 0.25
    for one in hidden[erased][:20]:
        rows, columns = one.any(dim=1).nonzero(), one.any(dim=0).nonzero()
        assert one[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].float().mean() > 0.99
    assert Erase(share=0)(images) is images
    assert torch.equal(seen, Erase(share=0.4, least=0.1, most=0.2)(images, generator=seeded()))


@pytest.mark.parametrize(
    "wrong", [partial(Crop, least=0), partial(Erase, share=2), partial(Erase, least=0.5, most=0.1)]
)
def test_impossible_parts_are_refused(wrong):
    with pytest.raises(UserError, match=r"between 0 and 1|above 0"):
        wrong()
