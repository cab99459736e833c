"""Pictures to tokens through any timm model, frozen or fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import Spec, UserError, require_known
from mmil.encoders.folding import fold_batchnorms
from mmil.encoders.sources import VISION_PACKAGE, fingerprint, only_file, package_folder

PACKAGED = "tf_efficientnet_lite0"  # the model whose weights come with an installed package
AT_ONCE = 8  # images a frozen backbone sees together: what it computes stays in the processor's cache, twice the speed
Maps = list[torch.Tensor]  # one (N, C, h', w') a stage


@runtime_checkable
class Staged(Protocol):
    """What models of timm have that can give their intermediate maps."""

    pretrained_cfg: Mapping[str, Any]

    def forward_intermediates(
        self, x: torch.Tensor, *, indices: list[int], stop_early: bool, intermediates_only: bool
    ) -> Maps:
        """The maps of these stages, from fine to coarse."""


class TimmVision(nn.Module):
    """Stages of a timm model, brought to one grid and projected to `width`: a token a cell.

    name: of a timm model. weights: None for the packaged ones (tf_efficientnet_lite0), a local file or folder of
    weights, "hub" to let timm download, "random" for none. stages: indices of its intermediate maps; tokens lie on
    the grid of the finest. frozen: no gradient to the pretrained part, whose maps may then be cached on disk.
    shift: camera → cells by which its maps are moved at most in training, a sample at a time, as if it were turned.
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
        shift: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.name, self.stages, self.frozen, self.width = name, sorted(stages), frozen, width
        self.shift = dict(shift or {})
        self.cameras = tuple(spec.cameras)
        require_known("camera", self.shift, self.cameras, where="to shift")
        self.backbone = load_backbone(name, weights)
        config = staged(self.backbone).pretrained_cfg
        if frozen:
            fold_batchnorms(self.backbone)
        self.backbone.requires_grad_(not frozen).to(memory_format=torch.channels_last)
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

    def maps(self, images: torch.Tensor) -> Maps:
        """Of uint8 or float images (N, 3, h, w) in 0..255: one (N, C, h', w') a stage, from fine to coarse."""
        if not self.frozen:
            return self._backbone_maps(images)
        with torch.no_grad():
            parts = [self._backbone_maps(part) for part in images.split(AT_ONCE)]
        return [torch.cat(stage) for stage in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]

    def forward(self, images: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """{camera: (B, K, N, width)} of {camera: uint8 (B, K, 3, h, w)}, or of cached maps [(B, K, C, h', w'), …]."""
        maps = {camera: images[camera] for camera in self.cameras}
        if not isinstance(maps[self.cameras[0]], list):
            maps = self._seen(maps)
        return {camera: self._tokens(camera, maps[camera]) for camera in self.cameras}

    def encode(self, images: torch.Tensor) -> Maps:
        """What a cache holds of uint8 (N, 3, h, w): the maps as float16, without gradient."""
        with torch.inference_mode():
            return [found.half() for found in self.maps(images)]

    def fingerprint(self) -> dict[str, Any]:
        """Changes whenever the maps would."""
        return {"encoder": "TimmVision", "name": self.name, "stages": self.stages, "sha256": fingerprint(self.backbone)}

    def train(self, mode: bool = True) -> TimmVision:
        super().train(mode)
        if self.frozen:
            self.backbone.eval()  # a frozen model keeps its batch statistics
        return self

    def _seen(self, images: Mapping[str, torch.Tensor]) -> dict[str, Maps]:
        """{camera: [(B, K, C, h', w') a stage]} of images; those of one size go through the backbone together."""
        sizes: dict[torch.Size, list[str]] = {}
        for camera, seen in images.items():
            sizes.setdefault(seen.shape, []).append(camera)
        found: dict[str, Maps] = {}
        for shape, cameras in sizes.items():
            stages = self.maps(torch.cat([images[camera].flatten(0, 1) for camera in cameras]))
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

    def _backbone_maps(self, images: torch.Tensor) -> Maps:
        scaled = ((images.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        return self._stages(scaled)

    def _stages(self, images: torch.Tensor) -> Maps:
        return list(
            staged(self.backbone).forward_intermediates(
                images, indices=self.stages, stop_early=True, intermediates_only=True
            )
        )

    @torch.inference_mode()
    def _shapes(self, image: tuple[int, int, int]) -> list[torch.Size]:
        height, width, _ = image
        was_training = self.backbone.training
        self.backbone.eval()
        try:
            found = self._stages(torch.zeros(1, 3, height, width))
        except (IndexError, AssertionError, ValueError) as error:
            raise UserError(f"{self.name} has no stages {self.stages}: {error}") from None
        self.backbone.train(was_training)
        return [stage.shape[1:] for stage in found]


def spreading(coarse: tuple[int, int], fine: tuple[int, int]) -> torch.Tensor:
    """(N, n): the weights by which bilinear interpolation makes N = h·w fine cells of n = h'·w' coarse ones."""
    count = coarse[0] * coarse[1]
    ones = torch.eye(count).view(count, 1, *coarse)
    return F.interpolate(ones, size=fine, mode="bilinear").flatten(1).T.contiguous()


def shifted(maps: torch.Tensor, most: int, *, repeat: int = 1) -> torch.Tensor:
    """Maps (N, C, h, w), each moved by up to `most` cells with its edge repeated; `repeat` in a row move alike."""
    count, _, height, width = maps.shape
    device = maps.device
    by = torch.randint(-most, most + 1, (2, count // repeat, 1), device=device).repeat_interleave(repeat, dim=1)
    rows = (torch.arange(height, device=device) + by[0]).clamp(0, height - 1)  # (N, h)
    columns = (torch.arange(width, device=device) + by[1]).clamp(0, width - 1)  # (N, w)
    sample = torch.arange(count, device=device)[:, None, None]
    return maps.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def staged(model: nn.Module) -> Staged:
    """The model, if it gives its intermediate maps."""
    if not isinstance(model, Staged):
        raise UserError(f"{type(model).__name__} gives no intermediate maps: timm has no forward_intermediates of it")
    return model


def load_backbone(name: str, weights: str | None) -> nn.Module:
    """A timm model with its pretrained weights."""
    import timm

    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('_')[0].split('.')[0]}*")[:8] or ["resnet18", PACKAGED]
        raise UserError(f"timm has no model {name!r}; it has {', '.join(near)}, …")
    if weights is None and name != PACKAGED:
        raise UserError(f"no weights of {name} are installed, only of {PACKAGED}; give a local file, 'hub' or 'random'")
    try:
        if weights == "hub":
            return timm.create_model(name, pretrained=True).eval()
        model = timm.create_model(name, pretrained=False).eval()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{name} could not be loaded ({type(error).__name__}); give a local file as `weights`"
        ) from None
    if weights != "random":
        path = only_file(package_folder(VISION_PACKAGE), "*.pth") if weights is None else Path(weights)
        _load_weights(model, path, by_order=weights is None)
    return model


def _load_weights(model: nn.Module, path: Path, *, by_order: bool) -> None:
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        raise UserError(f"no weights at {path}; give a .safetensors or .pth file, or a folder with model.safetensors")
    found = _read_weights(path)
    own = model.state_dict()
    if by_order:  # the package names the same layers otherwise, in the same order
        found = dict(zip(own, found.values(), strict=True))
    wrong = [name for name, tensor in own.items() if name not in found or found[name].shape != tensor.shape]
    if wrong:
        raise UserError(f"{path} holds other weights: {len(wrong)} of {len(own)} tensors do not fit, as {wrong[0]}")
    model.load_state_dict(found, strict=False)


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name; anything else a file may hold is refused unread."""
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(f"{path} holds no weights that can be read safely ({type(error).__name__})") from None
