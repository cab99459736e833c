"""Changes to what a camera shows while training, on the device it is on.

Drawn anew for each sample, the same for its K frames; each camera is drawn by itself. Never a flip: left and right are
words of the instructions and signs of the actions. What moves pixels alone makes what is told of a calibrated camera
and its depth hold less well; Turn moves all of them together.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from mmil.contracts import Batch, UserError, map_name
from mmil.data.sentences import number

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class Shot:
    """What one camera shows, and what is known of it."""

    images: torch.Tensor  # uint8 (B, K, 3, h, w)
    pose: torch.Tensor | None = None  # float32 (B, K, 8), as the signal camera_<name> tells it
    depth: torch.Tensor | None = None  # float32 (B, K, 1, h, w) [m], 0: none


class Transform(ABC):
    """A class and no protocol, so that a config can name any of its subclasses."""

    @abstractmethod
    def shot(self, shot: Shot, *, generator: torch.Generator | None = None) -> Shot:
        """The same shapes and types."""

    def posed(self, pose: torch.Tensor, *, generator: torch.Generator | None = None) -> torch.Tensor:
        """What the same draws make of a pose (B, K, 8) alone."""
        return pose


class Repaint(Transform):
    """Changes pixels, and nothing of what is told of the camera."""

    @abstractmethod
    def __call__(self, images: torch.Tensor, *, generator: torch.Generator | None = None) -> torch.Tensor:
        """uint8 (B, K, 3, h, w) → the same shape and type."""

    def shot(self, shot: Shot, *, generator: torch.Generator | None = None) -> Shot:
        return replace(shot, images=self(shot.images, generator=generator))


@dataclass(frozen=True, kw_only=True)
class Shift(Repaint):
    """Move each sample by up to `pixels` in x and in y, and repeat its edge where nothing is left."""

    pixels: int = 4

    def __post_init__(self) -> None:
        if self.pixels < 0:
            raise UserError(f"pixels is {self.pixels}; a shift is 0 pixels or more")

    def __call__(self, images: torch.Tensor, *, generator: torch.Generator | None = None) -> torch.Tensor:
        if not self.pixels:
            return images
        moves = _integers(images, -self.pixels, self.pixels, generator=generator)
        *_, height, width = images.shape
        y = (torch.arange(height, device=images.device) + moves[:, :1]).clamp(0, height - 1)  # (B, h)
        x = (torch.arange(width, device=images.device) + moves[:, 1:]).clamp(0, width - 1)  # (B, w)
        sample = torch.arange(len(images), device=images.device)[:, None, None]
        moved = images.permute(0, 3, 4, 1, 2)[sample, y[:, :, None], x[:, None, :]]  # (B, h, w, K, 3)
        return moved.permute(0, 3, 4, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Colour(Repaint):
    """Other light and another camera: each number is how far its property strays, 0 not at all.

    brightness, contrast, saturation: a factor within 1 ± the number. hue: a turn of the colours within ± that many
    turns; small, since the instructions name colours.
    """

    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.01

    def __post_init__(self) -> None:
        for name, most in (("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 0.5)):
            if not 0 <= getattr(self, name) <= most:
                raise UserError(f"{name} is {getattr(self, name)}; it must lie between 0 and {most}")

    def __call__(self, images: torch.Tensor, *, generator: torch.Generator | None = None) -> torch.Tensor:
        if not (self.brightness or self.contrast or self.saturation or self.hue):
            return images
        draws = uniform(images, 4, generator=generator)  # (B, 4) in [−1, 1]
        strength = torch.tensor([self.brightness, self.contrast, self.saturation, self.hue], device=images.device)
        brightness, contrast, saturation = (1 + draws * strength)[:, :3, None, None].unbind(1)
        turn = (draws * strength)[:, 3, None, None] * 2 * math.pi
        pixels = images.float()
        luma = torch.tensor(LUMA, device=images.device)
        grey = (pixels.mean(dim=(1, 3, 4)) @ luma)[:, None, None] * brightness  # (B, 1, 1), of the brightened sample
        matrix = brightness * contrast * _saturate(saturation, luma) @ _turn(turn)  # (B, 3, 3)
        changed = torch.einsum("bij,bkjhw->bkihw", matrix, pixels) + ((1 - contrast) * grey)[:, :, None, None]
        return changed.round_().clamp_(0, 255).to(torch.uint8)


@dataclass(frozen=True, kw_only=True)
class Crop(Repaint):
    """A part of each picture, at least `least` of its sides, brought back to its size: nearer, and off the middle."""

    least: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise UserError(f"least is {self.least}; it is a share of the sides, above 0 and at most 1")

    def __call__(self, images: torch.Tensor, *, generator: torch.Generator | None = None) -> torch.Tensor:
        if self.least == 1:
            return images
        draws = uniform(images, 3, generator=generator)
        side = 1 - (1 - self.least) * (draws[:, :1] + 1) / 2  # (B, 1)
        middle = draws[:, 1:] * (1 - side)  # (B, 2), x and y in [−1, 1] across the picture
        turn = torch.cat([torch.diag_embed(side.expand(-1, 2)), middle[:, :, None]], dim=2)  # (B, 2, 3)
        pixels = images.flatten(1, 2).float()
        grid = F.affine_grid(turn, list(pixels.shape), align_corners=False)
        seen = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
        return seen.round_().clamp_(0, 255).to(torch.uint8).view(images.shape)


@dataclass(frozen=True, kw_only=True)
class Erase(Repaint):
    """A rectangle of noise over a `share` of the samples (random erasing, Zhong 2020): something stands before them.

    least, most: its area, as shares of the picture's.
    """

    share: float = 0.3
    least: float = 0.02
    most: float = 0.15

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and 0 < self.least <= self.most < 1):
            raise UserError(
                f"share {self.share}, least {self.least}, most {self.most}: they lie between 0 and 1, least below most"
            )

    def __call__(self, images: torch.Tensor, *, generator: torch.Generator | None = None) -> torch.Tensor:
        if not self.share:
            return images
        draws = (uniform(images, 5, generator=generator) + 1) / 2  # (B, 5) in [0, 1]
        *_, height, width = images.shape
        area = self.least + (self.most - self.least) * draws[:, 0]
        ratio = 2 ** (2 * draws[:, 1] - 1)  # from twice as wide as high to the opposite
        sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=1).clamp(max=1)  # (B, 2)
        starts = draws[:, 2:4] * (1 - sides)
        inside = [
            ((place >= starts[:, axis, None]) & (place < (starts + sides)[:, axis, None]))
            for axis, place in enumerate((_middles(height, images), _middles(width, images)))
        ]
        hidden = inside[0][:, :, None] & inside[1][:, None, :] & (draws[:, 4] < self.share)[:, None, None]
        noise = (uniform(images, 3 * height * width, generator=generator) + 1) * 127.5
        noise = noise.to(torch.uint8).view(len(images), 1, 3, height, width)
        return torch.where(hidden[:, None, None], noise, images)


def augment(shot: Shot, transforms: Sequence[Transform], *, seed: int) -> Shot:
    """All of them, one after the other."""
    for place, transform in enumerate(transforms):
        shot = transform.shot(shot, generator=_generator(seed, place))
    return shot


def posed(pose: torch.Tensor, transforms: Sequence[Transform], *, seed: int) -> torch.Tensor:
    """The pose (B, K, 8) that `augment` gives with this seed, without a picture."""
    for place, transform in enumerate(transforms):
        pose = transform.posed(pose, generator=_generator(seed, place))
    return pose


def augment_batch(batch: Batch, transforms: Sequence[Transform], *, seed: int) -> None:
    """Every camera by itself, with the pose and the depth that go with what it shows."""
    for camera, images in batch.images.items():
        pose, depth = f"camera_{camera}", map_name(camera, "depth")
        shot = Shot(images, batch.signals.get(pose), batch.maps.get(depth))
        shot = augment(shot, transforms, seed=number(seed, camera))
        batch.images[camera] = shot.images
        if shot.pose is not None:
            batch.signals[pose] = shot.pose
        if shot.depth is not None:
            batch.maps[depth] = shot.depth


def _generator(seed: int, place: int) -> torch.Generator:
    """Of one transform's draws, however many the others before it take."""
    return torch.Generator().manual_seed(number(seed, place) >> 1)


def _middles(size: int, images: torch.Tensor) -> torch.Tensor:
    """(size,): of the pixels of an axis, in [0, 1]."""
    return (torch.arange(size, device=images.device) + 0.5) / size


def _saturate(factor: torch.Tensor, luma: torch.Tensor) -> torch.Tensor:
    """(B, 3, 3): each colour's distance from its grey, times the factor (B, 1, 1)."""
    one = torch.eye(3, device=factor.device)
    return factor * one + (1 - factor) * luma.expand(3, 3)


def _turn(angle: torch.Tensor) -> torch.Tensor:
    """(B, 3, 3): colours turned by angle (B, 1, 1) [rad] about the axis of greys, after Rodrigues."""
    one = torch.eye(3, device=angle.device)
    third, root = 1 / 3, 1 / math.sqrt(3)
    cross = torch.tensor([[0, -root, root], [root, 0, -root], [-root, root, 0]], device=angle.device)
    return angle.cos() * one + angle.sin() * cross + (1 - angle.cos()) * third


def _integers(images: torch.Tensor, low: int, high: int, *, generator: torch.Generator | None) -> torch.Tensor:
    """int64 (B, 2) in [low, high]; drawn where the generator lives, so that a seed means the same on every device."""
    home = generator.device if generator else images.device
    return torch.randint(low, high + 1, (len(images), 2), generator=generator, device=home).to(images.device)


def uniform(samples: torch.Tensor, count: int, *, generator: torch.Generator | None) -> torch.Tensor:
    """float32 (B, count) in [−1, 1], on the device of the samples (B, …)."""
    home = generator.device if generator else samples.device
    return (torch.rand((len(samples), count), generator=generator, device=home) * 2 - 1).to(samples.device)
