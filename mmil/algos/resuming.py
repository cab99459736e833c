"""What a training that is stopped goes on from."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch.callbacks import ModelCheckpoint

from mmil.run import CHECKPOINT


def last_checkpoint(out: Path) -> ModelCheckpoint:
    """Keeps the last epoch in the run `out`, not the best: that is chosen by luck, for success does not follow loss."""
    return ModelCheckpoint(
        dirpath=(out / CHECKPOINT).parent,
        filename=CHECKPOINT.stem,
        save_top_k=1,
        every_n_epochs=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
