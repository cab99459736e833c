"""Rounds under Lightning's Trainer: logged, checked for what is not finite, and resumed where they stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from mmil.algos.ending import Ending
from mmil.algos.finite import Finite
from mmil.algos.machine import Machine
from mmil.algos.metrics import MetricsFile
from mmil.algos.resuming import last_checkpoint
from mmil.reinforcing.experience import Experience, Round, rounds_of
from mmil.reinforcing.learner import Learner
from mmil.run import RunFolder


class Stopping(Callback):
    """The end of the round in which the budget was spent is that of training."""

    def __init__(self, experience: Experience) -> None:
        self.experience = experience

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = self.experience.over  # it was stopped between its last round and its end

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.experience.learnt = len(self.experience.rounds)
        told = self.experience.rounds[-1]
        pl_module.log_dict({"round/steps": float(told.steps), "round/reached": told.successes / max(1, told.free)})
        trainer.should_stop = self.experience.over


def fit(
    learner: Learner,
    experience: Experience,
    *,
    clone: RunFolder,
    out: Path,
    config: Mapping[str, Any],
    keep: Callable[[RunFolder], None] = lambda folder: None,
) -> list[Round]:
    """Learn until the budget is spent, from the last round on if there was one, and leave a finished run in `out`.

    keep: leaves what else was learnt, before the run is finished.
    """
    folder = RunFolder.claim(out, config)
    if not folder.finished:
        folder.describe(clone.spec, clone.stats, clone.data)
        ending = Ending()
        trainer = Machine(accelerator="cpu", devices=1, precision="32-true").trainer(
            callbacks=[*_callbacks(out, experience), ending],
            logger=[MetricsFile(out / "metrics.csv")],
            max_epochs=-1,
            reload_dataloaders_every_n_epochs=1,
            limit_val_batches=0,
        )
        try:
            trainer.fit(learner, datamodule=experience, ckpt_path=folder.last_checkpoint, weights_only=True)
            experience.last_trials()
        except SystemExit:  # how Lightning ends where it is interrupted
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
        finally:
            experience.close()
        folder.keep_sources_of(clone)
        keep(folder)
        rounds = sum(one.episodes > 0 for one in experience.rounds)
        about = {"epochs": rounds, "steps": trainer.fit_loop.total_batch_idx + 1, "seconds": ending.seconds}
        folder.finish(learner.policy, ending.state, **about, device="cpu", environment_steps=experience.steps)
    return rounds_of(out)


def _callbacks(out: Path, experience: Experience) -> list[Callback]:
    return [Finite(out), Stopping(experience), last_checkpoint(out), TQDMProgressBar(refresh_rate=50)]
