"""A training step of BC under Lightning against a bare PyTorch loop of the same network and the same batches."""

from __future__ import annotations

import sys
import time

import torch
from lightning import Trainer
from torch.utils.data import DataLoader

from tests.learning import tiny_batches, tiny_module

STEPS, WARM = 60, 10


def bare_seconds(batches: list) -> float:
    module = tiny_module()
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-3)
    module.train()
    for number, batch in enumerate(batches):
        if number == WARM:
            begun = time.perf_counter()
        optimizer.zero_grad()
        module.policy.loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - begun


def lightning_seconds(batches: list, folder: str) -> float:
    from lightning.pytorch.callbacks import Callback

    class Clock(Callback):
        def on_train_batch_start(self, trainer: Trainer, module: object, batch: object, index: int) -> None:
            if index == WARM:
                self.begun = time.perf_counter()

        def on_train_end(self, trainer: Trainer, module: object) -> None:
            self.seconds = time.perf_counter() - self.begun

    clock = Clock()
    trainer = Trainer(
        max_epochs=1,
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        accelerator="cpu",
        default_root_dir=folder,
    )
    trainer.fit(tiny_module(), DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch))
    return clock.seconds


def test_training_step_against_a_bare_loop(capsys, tmp_path) -> None:
    batches = tiny_batches(WARM + STEPS, size=128)
    pairs = [(lightning_seconds(batches, str(tmp_path)), bare_seconds(batches)) for _ in range(3)]
    ratio = sorted(ours / bare for ours, bare in pairs)[1]
    with capsys.disabled():
        for ours, bare in pairs:
            sys.stdout.write(
                f"\nBC under Lightning {1e3 * ours / STEPS:.1f} ms, bare loop {1e3 * bare / STEPS:.1f} ms a step"
            )
        sys.stdout.write(f"\nmedian ratio {ratio:.3f} (bar: 1.1)\n")
    assert ratio > 0
