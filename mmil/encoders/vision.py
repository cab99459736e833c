"""Pictures to tokens through any timm model, frozen or fine-tuned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import Spec, UserError, require_known, require_number
from mmil.encoders.backbone import PACKAGED, Maps, load_backbone, staged
from mmil.encoders.folding import fold_batchnorms
from mmil.encoders.sources import fingerprint
from mmil.encoders.tuning import train_tuned, tune
from mmil.ranks import of_mine

AT_ONCE = 8  # images a frozen backbone sees together: what it computes stays in the processor's cache, twice the speed
AT_ONCE_GPU = 256  # there the more the better, within its memory


class TimmVision(nn.Module):
    """Stages of a timm model, brought to one grid and projected to `width`: a token a cell.

    name: of a timm model, a local folder with config.json, or "hub:<owner>/<model>". weights: None for those of the
    folder or the packaged ones (tf_efficientnet_lite0), a local file or folder of weights, "hub" to let timm download,
    "random" for none. stages: indices of its intermediate maps; tokens lie on the grid of the finest. frozen: no
    gradient to the pretrained part, whose maps may then be cached on disk; tuned_stages: but for its last ones of
    those that are read. shared: one for all cameras, or each learns its own. shift: camera → cells by which its maps
    are moved at most in training, a sample at a time, as if it were turned.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        spec: Spec,
        *,
        name: str = PACKAGED,
        weights: str | None = None,
        stages: Sequence[int] = (2, 3),
        width: int = 64,
        frozen: bool = True,
        tuned_stages: int = 0,
        shared: bool = True,
        shift: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        require_number(least=1, width=width)
        if not spec.cameras:
            raise UserError("the data have no camera; a policy needs one at least")
        if not stages:
            raise UserError("stages is empty; give at least one, as [2, 3]")
        self.name, self.stages, self.width = name, sorted(stages), width
        self.frozen, self.shared = frozen and not tuned_stages, shared
        if self.frozen and not shared:
            raise UserError("shared: false gives each camera a backbone to tune; set frozen: false or tuned_stages")
        self.shift = dict(shift or {})
        self.cameras = tuple(spec.cameras)
        require_known("camera", self.shift, self.cameras, where="to shift")
        self.backbone, self._packaged = load_backbone(name, weights), name == PACKAGED and weights is None
        config = staged(self.backbone).pretrained_cfg
        if self.frozen:
            fold_batchnorms(self.backbone)
        self.backbone.requires_grad_(not self.frozen).to(memory_format=torch.channels_last)
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1) * 255)
        sizes = {camera: self._shapes(shape) for camera, shape in spec.cameras.items()}
        self.grids = {camera: (shapes[0][1], shapes[0][2]) for camera, shapes in sizes.items()}
        self.project = nn.ModuleDict(
            {camera: nn.ModuleList(nn.Linear(shape[0], width) for shape in shapes) for camera, shapes in sizes.items()}
        )
        for camera, shapes in sizes.items():
            for stage, shape in enumerate(shapes[1:], start=1):
                spread = spreading((shape[1], shape[2]), self.grids[camera])
                self.register_buffer(f"_spread_{camera}_{stage}", spread, persistent=False)
        self.place = nn.ParameterDict(
            {camera: nn.Parameter(0.02 * torch.randn(h * w, width)) for camera, (h, w) in self.grids.items()}
        )
        if not self.frozen:
            self._tune(tuned_stages if frozen else None, image=next(iter(spec.cameras.values())))
        if not shared:
            self.backbone = nn.ModuleDict({camera: deepcopy(self.backbone) for camera in self.cameras})

    def maps(self, images: torch.Tensor, camera: str = "") -> Maps:
        """Of uint8 or float images (N, 3, h, w) in 0..255: one (N, C, h', w') a stage, from fine to coarse.

        camera: whose they are, where each has a backbone.
        """
        if not self.frozen:
            return self._backbone_maps(images, camera)
        size = AT_ONCE if images.device.type == "cpu" else AT_ONCE_GPU
        with torch.no_grad():
            parts = [self._backbone_maps(part, "") for part in images.split(size)]
        return [torch.cat(stage) for stage in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]

    def forward(self, images: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """{camera: (B, K, N, width)} of {camera: uint8 (B, K, 3, h, w)}, or of cached maps [(B, K, C, h', w'), …]."""
        maps = {camera: images[camera] for camera in self.cameras}
        if not isinstance(maps[self.cameras[0]], list):
            maps = self.seen(maps)
        return {camera: self._tokens(camera, maps[camera]) for camera in self.cameras}

    def encode(self, images: torch.Tensor) -> Maps:
        """What a cache holds of uint8 (N, 3, h, w): the maps as float16, without gradient."""
        if not self.frozen:
            raise UserError("maps of a backbone that learns cannot be cached; set frozen: true and tuned_stages: 0")
        with torch.inference_mode():
            return [found.half() for found in self.maps(images)]

    def fingerprint(self) -> dict[str, Any]:
        """Changes whenever the maps would."""
        digest = fingerprint(self.backbone)
        if not self._packaged:  # others may come with constants of their own
            digest = hashlib.sha256(f"{digest} {self.mean.tolist()} {self.std.tolist()}".encode()).hexdigest()
        return {"encoder": "TimmVision", "name": self.name, "stages": self.stages, "sha256": digest}

    def train(self, mode: bool = True) -> TimmVision:
        super().train(mode)
        train_tuned(self.backbone, mode)
        return self

    def seen(self, images: Mapping[str, torch.Tensor]) -> dict[str, Maps]:
        """Maps {camera: [(B, K, C, h', w') a stage]} of images uint8 (B, K, 3, h, w), which forward takes as well.

        Those of one size go through a backbone together.
        """
        sizes: dict[tuple[torch.Size, str], list[str]] = {}
        for camera, seen in images.items():
            sizes.setdefault((seen.shape, "" if self.shared else camera), []).append(camera)
        found: dict[str, Maps] = {}
        for (shape, whose), cameras in sizes.items():
            stages = self.maps(torch.cat([images[camera].flatten(0, 1) for camera in cameras]), whose)
            parts = [stage.unflatten(0, (len(cameras), *shape[:2])).unbind(0) for stage in stages]
            found |= {camera: list(maps) for camera, maps in zip(cameras, zip(*parts, strict=True), strict=True)}
        return found

    def _tokens(self, camera: str, maps: Maps) -> torch.Tensor:
        batch, past = maps[0].shape[:2]
        maps = [stage.flatten(0, 1).float() for stage in maps]
        parts = []
        projects = self.project[camera]
        assert isinstance(projects, nn.ModuleList)
        for stage, (found, project) in enumerate(zip(maps, projects, strict=True)):
            normed = F.layer_norm(found, found.shape[1:]).flatten(2).transpose(1, 2)  # (B·K, n, C)
            projected = project(normed)  # before it is spread: the coarser a stage, the more channels it has
            parts.append(getattr(self, f"_spread_{camera}_{stage}") @ projected if stage else projected)
        tokens = sum(
            parts, self.place[camera].to(parts[0].dtype)
        )  # in one precision: mixed additions take ten times as long
        if self.training and self.shift.get(camera):
            rows, columns = self.grids[camera]
            grid = tokens.transpose(1, 2).unflatten(2, (rows, columns))
            tokens = shifted(grid, self.shift[camera], repeat=past).flatten(2).transpose(1, 2)
        return tokens.unflatten(0, (batch, past))  # (B, K, N, width)

    def _backbone_maps(self, images: torch.Tensor, camera: str) -> Maps:
        scaled = ((images.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        return stage_maps(self.backbone if self.shared else self.backbone.get_submodule(camera), scaled, self.stages)

    def _tune(self, last: int | None, *, image: tuple[int, int, int]) -> None:
        """Let the last stages up to the topmost that is read learn; None for all of them."""
        below = -1 if last is None else self.stages[-1] - last
        if not -1 <= below < self.stages[-1]:
            count = self.stages[-1] + 1
            raise UserError(f"cannot tune the last {last} of the {count} stages that are read of {self.name}")
        indices = sorted({*self.stages, *([below] if below >= 0 else [])})
        maps = dict(zip(indices, stage_maps(self.backbone, torch.zeros(1, 3, *image[:2]), indices), strict=True))
        read = torch.stack([maps[stage].sum() for stage in self.stages])
        tune(self.backbone, read=read, kept=maps.get(below))

    @torch.inference_mode()
    def _shapes(self, image: tuple[int, int, int]) -> list[torch.Size]:
        height, width, _ = image
        try:
            found = stage_maps(self.backbone, torch.zeros(1, 3, height, width), self.stages)
        except (IndexError, AssertionError, ValueError) as error:
            raise UserError(f"{self.name} has no stages {self.stages}: {error}") from None
        return [stage.shape[1:] for stage in found]


def stage_maps(model: nn.Module, images: torch.Tensor, stages: list[int]) -> Maps:
    """Of images (N, 3, h, w) as the model wants them."""
    return list(staged(model).forward_intermediates(images, indices=stages, stop_early=True, intermediates_only=True))


def spreading(coarse: tuple[int, int], fine: tuple[int, int]) -> torch.Tensor:
    """(N, n): the weights by which bilinear interpolation makes N = h·w fine cells of n = h'·w' coarse ones."""
    count = coarse[0] * coarse[1]
    ones = torch.eye(count).view(count, 1, *coarse)
    return F.interpolate(ones, size=fine, mode="bilinear").flatten(1).T.contiguous()


def shifted(maps: torch.Tensor, most: int, *, repeat: int = 1) -> torch.Tensor:
    """Maps (N, C, h, w), each moved by up to `most` cells with its edge repeated; `repeat` in a row move alike."""
    count, _, height, width = maps.shape
    device = maps.device
    drawn = of_mine(lambda rows: torch.randint(-most, most + 1, (rows, 2, 1), device=device), count // repeat)
    by = drawn.transpose(0, 1).repeat_interleave(repeat, dim=1)
    rows = (torch.arange(height, device=device) + by[0]).clamp(0, height - 1)  # (N, h)
    columns = (torch.arange(width, device=device) + by[1]).clamp(0, width - 1)  # (N, w)
    sample = torch.arange(count, device=device)[:, None, None]
    return maps.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
