"""A step that would spoil the weights is not taken: training stops and keeps what led there."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer

from mmil.algos.algorithm import Algorithm
from mmil.algos.sharding import whole
from mmil.contracts import Batch, UserError
from mmil.data.shards import write_atomic
from mmil.run import CHECKPOINT


class Finite(Callback):
    """Stops at a gradient that holds a NaN or an infinity, before the weights and the checkpoint hold it too.

    All processes stop together, since they share their gradients; each leaves its own part of the batch, and the first
    one says why.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._batch: Any = None  # a Batch, or a mapping of tensors
        self._loss = torch.tensor(torch.nan)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._batch = batch

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: torch.Tensor) -> None:
        self._loss = loss.detach()

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = whole(torch.nn.utils.get_total_norm(gradients))
        assert isinstance(pl_module, Algorithm), "which says when it is heard"
        if pl_module.tells:
            pl_module.log("train/gradient", norm)
        if not torch.isfinite(norm):
            told = self._told(trainer)
            # one that ends with an error has Lightning kill the first before that has said why
            raise UserError(told) if trainer.is_global_zero else SystemExit(0)

    def _told(self, trainer: Trainer) -> str:
        assert self._batch is not None, "a step begins with its batch"
        path = self.folder / f"not_finite-{trainer.global_step:08d}-rank{trainer.global_rank}.npz"
        write_atomic(path, encode_batch(self._batch))
        checkpoint = self.folder / CHECKPOINT
        kept = f"{checkpoint} is as it was" if checkpoint.is_file() else "there was no checkpoint yet"
        return (
            f"step {trainer.global_step} (epoch {trainer.current_epoch}): the gradient holds a NaN or an infinity, "
            f"the loss is {self._loss.item():g}; stopped, {kept}, the batch is in {path}; "
            "a smaller learning_rate may help"
        )


def encode_batch(batch: Any) -> bytes:
    """An npz of every tensor by its field and name, and of the sentences; nothing in it needs unpickling."""
    buffer = io.BytesIO()
    if isinstance(batch, Batch):
        np.savez(buffer, **{name: one for item in dataclasses.fields(batch) for name, one in _arrays(item.name, batch)})
    else:
        every = batch.items(include_nested=True, leaves_only=True)
        named = {"/".join([name] if isinstance(name, str) else name): value for name, value in every}
        np.savez(buffer, **{name: value.detach().cpu().numpy() for name, value in named.items()})
    return buffer.getvalue()


def _arrays(field: str, batch: Batch) -> Iterator[tuple[str, Any]]:
    value = getattr(batch, field)
    if isinstance(value, dict):
        for name, part in value.items():
            stages = part if isinstance(part, list) else [part]
            for number, stage in enumerate(stages):
                suffix = f".{number}" if isinstance(part, list) else ""
                yield f"{field}/{name}{suffix}", stage.detach().cpu().numpy()
    elif isinstance(value, torch.Tensor):
        yield field, value.detach().cpu().numpy()
    elif value is not None:
        yield field, np.array(value, dtype=np.str_)
