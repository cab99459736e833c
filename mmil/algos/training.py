"""`mmil train`: a data set and an algorithm to a run folder, resumed where it stopped."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import Logger

from mmil.algos.algorithm import Algorithm
from mmil.algos.metrics import MetricsFile
from mmil.contracts import Spec, UserError
from mmil.data.augment import Transform
from mmil.data.cache import write_features
from mmil.data.dataset import Dataset
from mmil.data.module import WindowData
from mmil.data.shards import file_sha256
from mmil.data.stats import Stats
from mmil.run import RunFolder

LoggerName = Literal["wandb", "tensorboard"]


def train(
    *,
    data: Path,
    out: Path,
    algo: Callable[[Spec, Stats], Algorithm],
    epochs: int = 20,
    batch_size: int = 128,
    stride: int = 1,
    validation: float = 0.05,
    validate_every: int = 5,
    resample_sentences: bool = True,
    others: float = 0.0,
    qualities: Sequence[str] | None = None,
    augment: Sequence[Transform] = (),
    cache: bool = False,
    workers: int = 0,
    seed: int = 0,
    gradient_clip: float = 1.0,
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto",
    accelerator: str = "auto",
    devices: int | Literal["auto"] = "auto",
    loggers: Sequence[LoggerName] = ("wandb", "tensorboard"),
    wandb: Literal["offline", "online", "disabled"] = "offline",
    config: Mapping[str, Any] | None = None,
) -> Path:
    """Train `algo` on the data set `data` and leave a run in `out`; metrics.csv is always written."""
    if RunFolder.finished_with(out, config or {}):
        return out
    seed_everything(seed, workers=True, verbose=False)
    dataset, precision = Dataset.open(data), fitting(precision)
    told: dict[str, Any] = {"resample_sentences": resample_sentences, "others": others, "qualities": qualities}
    read: dict[str, Any] = {"batch_size": batch_size, "stride": stride, "workers": workers, "validation": validation}
    windows = partial(WindowData, path=data, augment=augment, seed=seed, **read, **told)
    known = windows()
    module = _module(algo, known, config=config or {}, seed=seed)
    folder = _claimed(out, known, config=config or {})
    features = _cache(dataset, module, precision, every=1 if module.policy.past > 1 else stride) if cache else None
    _quieten()
    trainer = _trainer(
        out,
        validate_every=validate_every,
        logger=[MetricsFile(out / "metrics.csv"), *_loggers(loggers, out, wandb)],
        max_epochs=epochs,
        gradient_clip_val=gradient_clip,
        precision=precision,
        accelerator=accelerator,
        devices=devices,
    )
    _fit(trainer, module, windows(cache=features, past=module.policy.past, future=module.policy.future), folder)
    return out


def _module(algo: Callable[..., Algorithm], known: WindowData, *, config: Mapping[str, Any], seed: int) -> Algorithm:
    """The algorithm for this data, which knows the sentences there are and what to write into checkpoints."""
    module = algo(known.dataset.spec, known.stats, sentences=known.sentences, bound=known.bound)
    module.resolved, module.seed = dict(config), seed
    return module


def _claimed(out: Path, known: WindowData, *, config: Mapping[str, Any]) -> RunFolder:
    """The folder of the run, which says from the beginning what is learnt from."""
    folder = RunFolder.claim(out, config)
    folder.describe(known.dataset.spec, known.stats, trained_on(known.dataset))
    return folder


def _fit(trainer: Trainer, module: Algorithm, windows: WindowData, folder: RunFolder) -> None:
    """Train, from the last checkpoint if there is one, and leave the averaged weights."""
    begun = time.monotonic()
    trainer.fit(module, datamodule=windows, ckpt_path=folder.last_checkpoint, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if trainer.is_global_zero:
        module.swap_average()
        seconds, device = time.monotonic() - begun, str(trainer.strategy.root_device)
        folder.finish(module.policy, epochs=trainer.max_epochs, seconds=seconds, device=device)


def trained_on(dataset: Dataset) -> dict[str, Any]:
    """What data.json says of the data set."""
    manifest = dataset.manifest
    return {
        "path": str(dataset.path),
        "episodes": manifest["episodes"],
        "steps": manifest["steps"],
        "goals": dict(sorted(Counter(str(row.goal) for row in dataset.rows).items())),
        "sentences": sum(len(entry["sentences"]) for entry in manifest["sentences"]),
        "manifest_sha256": file_sha256(dataset.path / "manifest.json"),
        "config": manifest["config"],
    }


def fitting(precision: str) -> Any:
    """What "auto" stands for: bf16 where the processor or the GPU has it (half the time), else 32 bits."""
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return "bf16-mixed" if any(getattr(torch.cpu, ask, bool)() for ask in asks) else "32-true"


def _cache(dataset: Dataset, module: Algorithm, precision: str, *, every: int) -> Path:
    """The features of the frozen vision encoder, beside the data set, under the encoder's hash and its precision."""
    vision = module.policy.vision
    if not vision.frozen:
        raise UserError(
            "cache: true needs frozen vision; set frozen: true and tuned_stages: 0, or cache: false to tune it"
        )
    half = precision.startswith("bf16")
    fingerprint = {**vision.fingerprint(), "precision": "bf16" if half else "fp32"}
    name = "-".join([fingerprint["sha256"][:12], *map(str, vision.stages), fingerprint["precision"], f"every{every}"])
    path = dataset.path.with_name(f"{dataset.path.name}.features-{name}")

    def encode(camera: str, frames: Any) -> list[Any]:
        images = torch.from_numpy(frames).permute(0, 3, 1, 2)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):  # a third of the time
            return [stage.contiguous().numpy() for stage in vision.encode(images)]

    write_features(dataset.path, path, encode, fingerprint=fingerprint, every=every)
    return path


def _trainer(out: Path, *, validate_every: int, **settings: Any) -> Trainer:
    # the last one, not the best: a best one is chosen by luck, and success does not follow validation loss
    last = ModelCheckpoint(
        dirpath=out / "checkpoints",
        filename="last",
        save_top_k=1,
        every_n_epochs=1,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    return Trainer(
        **settings,
        callbacks=[last, TQDMProgressBar(refresh_rate=10)],
        check_val_every_n_epoch=validate_every,
        log_every_n_steps=10,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def _quieten() -> None:
    """Of Lightning, what is meant for its users and not for ours: a frozen encoder is in evaluation mode on purpose."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for told in (".*in eval mode at the start of training", ".*LeafSpec", ".*does not have many workers"):
        warnings.filterwarnings("ignore", told)


def _loggers(names: Sequence[LoggerName], out: Path, wandb: str) -> list[Logger]:
    from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger

    found: list[Logger] = []
    if "tensorboard" in names:
        found.append(TensorBoardLogger(save_dir=out, name="", version="tensorboard"))
    if "wandb" in names and wandb != "disabled":
        if wandb == "offline":
            os.environ.setdefault("WANDB_SILENT", "true")  # it has nothing to tell until it is synced
        found.append(WandbLogger(project="mmil", name=out.name, save_dir=out, mode=wandb, log_model=False))
    return found
