"""How a training ends: whole and once, or, in whichever process something goes wrong, for all of them."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from mmil.algos.account import Account
from mmil.algos.algorithm import Algorithm
from mmil.algos.sharding import whole_state
from mmil.data.module import WindowData
from mmil.evaluation.modelcard import write_model_card
from mmil.run import RunFolder


class Ending(Callback):
    """Takes the averaged weights at the end, while all processes are there to give their shares of them."""

    def __init__(self) -> None:
        self.state: dict[str, torch.Tensor] = {}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Algorithm)
        pl_module.swap_average()
        self.state = whole_state(pl_module.policy.state_dict())
        pl_module.swap_average()


def fit(trainer: Trainer, module: Algorithm, windows: WindowData, folder: RunFolder) -> None:
    """Train, from the last checkpoint if there is one; the first process leaves the averaged weights in the folder."""
    begun = time.monotonic()
    try:
        trainer.fit(module, datamodule=windows, ckpt_path=folder.last_checkpoint, weights_only=True)
    except SystemExit:  # how Lightning ends where it is interrupted
        if trainer.is_global_zero and trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    except BaseException:
        _end_others(trainer)
        raise
    if trainer.is_global_zero:
        seconds, device = time.monotonic() - begun, str(trainer.strategy.root_device)
        about: dict[str, Any] = {"epochs": trainer.max_epochs, "seconds": seconds, "device": device}
        about |= {"processes": trainer.world_size, "strategy": type(trainer.strategy).__name__}
        told = {name: value.item() for name, value in trainer.callback_metrics.items() if name == "val/loss"}
        ending, account = (_of(trainer, kind) for kind in (Ending, Account))
        about |= {"data_wait": account.wait, "val_loss": told.get("val/loss")}
        folder.finish(module.policy, ending.state, **about)
        write_model_card(folder.path)


def _of(trainer: Trainer, kind: type[Any]) -> Any:
    return next(callback for callback in trainer.callbacks if isinstance(callback, kind))  # type: ignore[attr-defined]


def _end_others(trainer: Trainer) -> None:
    """Kill the processes that Lightning began from this one: they wait for it, and would tell of nothing but that."""
    begun = getattr(trainer.strategy.launcher, "procs", [])
    others = [*begun]
    begun.clear()  # else Lightning, which watches them, kills this one too
    for process in others:
        process.kill()
        process.wait()
