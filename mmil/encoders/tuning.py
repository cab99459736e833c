"""Which part of a pretrained model learns, whatever it is made of: what its states were computed from says it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def tune(model: nn.Module, *, read: torch.Tensor, kept: torch.Tensor | None = None) -> None:
    """Let learn what `read` was computed from, but not what `kept` was, a state further down.

    What lies above `read` gets no gradient and is left as it is.
    """
    parameters = list(model.parameters())
    reads = _behind(read, parameters)
    keeps = [False] * len(parameters) if kept is None else _behind(kept, parameters)
    for parameter, needed, frozen in zip(parameters, reads, keeps, strict=True):
        parameter.requires_grad_(needed and not frozen)


def train_tuned(model: nn.Module, mode: bool) -> None:
    """Training mode for the modules that learn as a whole; frozen ones drop nothing.

    Batch norms go by the statistics they came with, and learn scale and shift alone: those of small batches of windows
    that resemble each other are poor, every process would gather its own, and none would fit the averaged weights.
    """
    model.eval()
    for part in model.modules():
        parameters = list(part.parameters())
        if parameters and all(parameter.requires_grad for parameter in parameters):
            part.train(mode)
    for part in model.modules():
        if isinstance(part, _BatchNorm):
            part.eval()


def _behind(state: torch.Tensor, parameters: list[nn.Parameter]) -> list[bool]:
    if not state.requires_grad:
        return [False] * len(parameters)
    found = torch.autograd.grad(state.float().sum(), parameters, allow_unused=True, retain_graph=True)
    return [gradient is not None for gradient in found]
