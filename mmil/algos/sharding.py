"""Weights in shares: each process keeps a part of what is trained and sees the rest only while it computes (FSDP2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from mmil.contracts import UserError

STEPS = ("training_step", "validation_step")  # what of a LightningModule computes with all of its weights


def shard(module: nn.Module, mesh: DeviceMesh) -> None:
    """Share out what is trained; frozen weights have no state to save, and stay whole in every process."""
    frozen = {parameter for parameter in module.parameters() if not parameter.requires_grad}
    for parameter in set(module.parameters()) - frozen:
        parameter.data = parameter.data.contiguous()  # pretrained convolutions are channels_last
    for part in (*blocks(module), module):
        fully_shard(part, mesh=mesh, reshard_after_forward=True, ignored_params=frozen)
    for step in STEPS:
        register_fsdp_forward_method(module, step)


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Of pretrained parts that learn, the blocks: they hold most weights, and are whole one after another."""
    for name, part in module.named_modules():
        if name.endswith((".backbone", "language.model")):
            yield from _stacked(part)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without shares; all processes must ask for it together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies in memory of the processor; all processes must ask for them together."""
    return {name: whole(value.detach()).cpu().clone() for name, value in state.items()}


def shared_like(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A whole tensor, shared out and placed as another one is."""
    if isinstance(like, DTensor):
        return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
    return value.to(like.device)


def _stacked(part: nn.Module) -> Iterator[nn.Module]:
    """Members of the outermost lists of modules that hold something to learn."""
    for child in part.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from (one for one in child if any(p.requires_grad for p in one.parameters()))
        else:
            yield from _stacked(child)


def require_groups(groups: Sequence[Mapping[str, Any]], states: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a checkpoint whose optimizer knows other groups of weights: their numbers would mean other weights."""
    here = [len(group["params"]) for group in groups]
    for state in states:
        if (there := [len(group["params"]) for group in state["param_groups"]]) != here:
            raise UserError(
                f"the checkpoint's optimizer has groups of {there} weights, here are groups of {here}: another version "
                "of mmil wrote it; train into a new folder"
            )


def by_name(module: nn.Module, optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's state with names of weights in place of their numbers."""
    require_groups(optimizer.param_groups, [state])
    known = {id(parameter): name for name, parameter in module.named_parameters()}
    names = [known[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
    return _renamed(state, dict(enumerate(names)))


def by_number(state: Mapping[str, Any]) -> dict[str, Any]:
    """An optimizer's state with numbers of weights in place of their names, as torch's optimizers write it."""
    names = [name for group in state["param_groups"] for name in group["params"]]
    return _renamed(state, {name: number for number, name in enumerate(names)})


def _renamed(state: Mapping[str, Any], names: Mapping[Any, Any]) -> dict[str, Any]:
    groups = [{**group, "params": [names[one] for one in group["params"]]} for group in state["param_groups"]]
    return {"state": {names[one]: value for one, value in state["state"].items()}, "param_groups": groups}
