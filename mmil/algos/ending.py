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
    """Takes the averaged weights at the end, while all processes are there to give their shares of them.

    The last epoch validates whatever the number of epochs between validations, so that `val_loss` is theirs. `seconds`
    are those of all sessions; of one that was stopped, up to its last checkpoint.
    """

    def __init__(self) -> None:
        self.state: dict[str, torch.Tensor] = {}
        self.val_loss: float | None = None
        self._begun, self._before = time.monotonic(), 0.0

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._begun

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "val_loss": self.val_loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before, self.val_loss = state_dict["seconds"], state_dict["val_loss"]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        told = trainer.callback_metrics.get("val/loss")
        self.val_loss = None if told is None else told.item()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Algorithm)
        pl_module.swap_average()
        self.state = whole_state(pl_module.policy.state_dict())
        pl_module.swap_average()


def fit(trainer: Trainer, module: Algorithm, windows: WindowData, folder: RunFolder) -> None:
    """Train, from the last checkpoint if there is one; the first process leaves the averaged weights in the folder."""
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
        ending, account = (_of(trainer, kind) for kind in (Ending, Account))
        device = str(trainer.strategy.root_device)
        about: dict[str, Any] = {"epochs": trainer.max_epochs, "steps": trainer.global_step}
        about |= {"seconds": ending.seconds, "device": device}
        about |= {"processes": trainer.world_size, "strategy": type(trainer.strategy).__name__}
        about |= {"data_wait": account.wait, "val_loss": ending.val_loss}
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
