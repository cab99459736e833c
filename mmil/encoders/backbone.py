"""Models of timm with their pretrained weights and the constants these were trained with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from mmil.contracts import UserError
from mmil.encoders.sources import VISION_PACKAGE, asking_hub, only_file, package_folder

PACKAGED = "tf_efficientnet_lite0"  # the model whose weights come with an installed package
HUB = "hub:"
CONFIG, WEIGHTS = "config.json", "model.safetensors"  # of a folder as timm and its hub write them
Maps = list[torch.Tensor]  # one (N, C, h', w') a stage


@runtime_checkable
class Staged(Protocol):
    """What models of timm have that can give their intermediate maps."""

    pretrained_cfg: Mapping[str, Any]

    def forward_intermediates(
        self, x: torch.Tensor, *, indices: list[int], stop_early: bool, intermediates_only: bool
    ) -> Maps:
        """The maps of these stages, from fine to coarse."""


def staged(model: nn.Module) -> Staged:
    """The model, if it gives its intermediate maps."""
    if not isinstance(model, Staged):
        raise UserError(f"{type(model).__name__} gives no intermediate maps: timm has no forward_intermediates of it")
    return model


def load_backbone(name: str, weights: str | None) -> nn.Module:
    """A timm model with its pretrained weights; see TimmVision for what the two may be."""
    if name.startswith(HUB):
        return _fetched(name.removeprefix(HUB), f"hf-hub:{name.removeprefix(HUB)}")
    folder, told = (Path(name), _told(Path(name))) if "/" in name else (None, {})
    known = _known(str(told.get("architecture", ""))) if folder else _known(name)
    weights = str(folder) if folder and weights is None else weights
    if weights == "hub":
        return _fetched(known, known)
    if weights is None and known != PACKAGED:
        raise UserError(f"no weights of {name} are installed, only of {PACKAGED}; give a local file, 'hub' or 'random'")
    sizes = {"num_classes": told["num_classes"]} if "num_classes" in told else {}
    model = _created(known, pretrained=False, **sizes, **told.get("model_args", {}))
    if weights != "random":
        path = only_file(package_folder(VISION_PACKAGE), "*.pth") if weights is None else Path(weights)
        _load_weights(model, path, by_order=weights is None)
        told = told or (_told(path) if (path / CONFIG).is_file() else {})
    constants = {key: value for key, value in told.get("pretrained_cfg", {}).items() if key in ("mean", "std")}
    told_of = staged(model)
    told_of.pretrained_cfg = {**told_of.pretrained_cfg, **constants}
    return model


def _known(name: str) -> str:
    import timm

    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('_')[0].split('.')[0]}*")[:8] or ["resnet18", PACKAGED]
        raise UserError(f"timm has no model {name!r}; it has {', '.join(near)}, …")
    return name


def _told(folder: Path) -> dict[str, Any]:
    """What the folder says of its model."""
    try:
        return json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError):
        raise UserError(
            f"no model at {folder}: it has no readable {CONFIG}; give a name of timm's, hub:<owner>/<model>, or a "
            f"folder with {CONFIG} and {WEIGHTS}"
        ) from None


def _fetched(name: str, asked: str) -> nn.Module:
    instead = f"as `weights` a local file, or as `name` a local folder with {CONFIG} and {WEIGHTS}"
    with asking_hub(name, instead=instead):
        return _created(asked, pretrained=True)


def _created(name: str, **options: Any) -> nn.Module:
    """For pictures of any size, also where a transformer was made for one."""
    import timm

    try:
        return timm.create_model(name, **options, dynamic_img_size=True).eval()
    except TypeError:  # convolutions know no such option
        return timm.create_model(name, **options).eval()


def _load_weights(model: nn.Module, path: Path, *, by_order: bool) -> None:
    if path.is_dir():
        path = path / WEIGHTS
    if not path.is_file():
        raise UserError(f"no weights at {path}; give a .safetensors or .pth file, or a folder with {WEIGHTS}")
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
