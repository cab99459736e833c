"""What a run says of its data: how much of it each skill is, and how long the steps wait for it."""

from __future__ import annotations

import time
from typing import Any

from lightning import Callback, LightningModule, Trainer

from mmil.data.loader import WindowLoader
from mmil.data.module import WindowData


class Account(Callback):
    """Logs share/<verb> once and train/data_wait, the share of an epoch's step time that was spent without a batch."""

    def __init__(self, windows: WindowData) -> None:
        self.windows = windows
        self.waited, self.worked = 0.0, 0.0  # [s], of the whole training, in however many sessions
        self._earlier = 0.0  # [s] waited in those before this one, whose loader knows its own alone
        self._before = (0.0, 0.0)
        self._begun = 0.0

    @property
    def wait(self) -> float:
        """The share of all step time so far."""
        return self.waited / max(1e-9, self.waited + self.worked)

    def state_dict(self) -> dict[str, Any]:
        return {"waited": self.waited, "worked": self.worked}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.waited, self.worked = state_dict["waited"], state_dict["worked"]
        self._earlier = self.waited

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.global_step and trainer.logger is not None:
            shares = {f"share/{verb}": share for verb, share in self.windows.balance.skill_shares.items()}
            for logger in trainer.loggers:
                logger.log_metrics(shares, step=0)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._before = (self.waited, self.worked)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._begun = time.perf_counter()
        assert isinstance(trainer.train_dataloader, WindowLoader), "it is WindowData's"
        self.waited = self._earlier + trainer.train_dataloader.waited

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.worked += time.perf_counter() - self._begun

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        waited, worked = self.waited - self._before[0], self.worked - self._before[1]
        pl_module.log("train/data_wait", waited / max(1e-9, waited + worked), sync_dist=True)
