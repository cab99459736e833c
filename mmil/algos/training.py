"""`mmil train`: a data set and an algorithm to a run folder, resumed where it stopped."""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from mmil.algos.account import Account
from mmil.algos.algorithm import Algorithm
from mmil.algos.finite import Finite
from mmil.algos.metrics import MetricsFile
from mmil.algos.start import Start, Statistics
from mmil.contracts import Spec, UserError, metres, require_number
from mmil.data.cache import write_features
from mmil.data.dataset import Dataset
from mmil.data.module import WindowData
from mmil.data.sentences import number
from mmil.data.shards import file_sha256
from mmil.data.stats import Stats
from mmil.encoders.depth import GRID, on_grid
from mmil.evaluation.modelcard import write_model_card
from mmil.run import RunFolder

LoggerName = Literal["wandb", "tensorboard"]


def train(
    *,
    data: Path,
    out: Path,
    algo: Callable[[Spec, Stats], Algorithm],
    epochs: int = 20,
    validate_every: int = 5,
    cache: bool = False,
    seed: int = 0,
    gradient_clip: float = 1.0,
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto",
    accelerator: str = "auto",
    devices: int | Literal["auto"] = "auto",
    loggers: Sequence[LoggerName] = ("wandb", "tensorboard"),
    wandb: Literal["offline", "online", "disabled"] = "offline",
    start: Path | None = None,
    start_cameras: Mapping[str, str] | None = None,
    start_statistics: Statistics = "old",
    config: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda line: None,
    **reading: Any,
) -> Path:
    """Train `algo` on the data set `data` and leave a run in `out`; metrics.csv is always written.

    start: a finished run whose weights to begin with, where name and shape are the same. start_cameras: camera of the
    data → the camera of that run whose weights it takes. start_statistics: for signals that both know, normalise as the
    weights expect (old) or as the data say (new). tell: hears what was taken over. reading: what else WindowData is
    told of how to read it.
    """
    require_number(least=1, epochs=epochs, validate_every=validate_every)
    require_number(least=0, gradient_clip=gradient_clip)
    require_number(least=0, below=2**32, seed=seed)
    if RunFolder.finished_with(out, config or {}):
        return out
    seed_everything(seed, workers=True, verbose=False)
    precision = fitting(precision)
    known = WindowData(path=data, seed=seed, cache=None, past=1, future=1, **reading)
    before = Start(start, known.dataset.spec, cameras=start_cameras, statistics=start_statistics) if start else None
    module = _module(algo, known, config=config or {}, seed=seed, before=before)
    _require_agreement(known, module, cache=cache)
    lineage = _begun(module, before, tell=rank_zero_only(tell)) if before else None
    folder = _claimed(out, known, config=config or {}, stats=module.stats, lineage=lineage)
    windows = _windows(known, module, cache=_cache(known, module, precision) if cache else None, **reading)
    _quieten()
    trainer = _trainer(
        out,
        windows,
        validate_every=validate_every,
        logger=[MetricsFile(out / "metrics.csv"), *_loggers(loggers, out, wandb)],
        max_epochs=epochs,
        gradient_clip_val=gradient_clip,
        precision=precision,
        accelerator=accelerator,
        devices=devices,
    )
    _fit(trainer, module, windows, folder)
    return out


def _module(
    algo: Callable[..., Algorithm], known: WindowData, *, config: Mapping[str, Any], seed: int, before: Start | None
) -> Algorithm:
    """The algorithm for this data, which knows the sentences there are and what to write into checkpoints."""
    known.setup()
    stats = before.stats(known.stats) if before else known.stats
    try:
        module = algo(known.dataset.spec, stats, sentences=known.sentences, bound=known.bound)
    except (TypeError, ValueError, RuntimeError) as error:  # of what is not a part, or of options no layer can have
        raise UserError(f"of this config no policy can be made: {type(error).__name__}: {error}"[:400]) from error
    module.resolved, module.seed = dict(config), seed
    return module


def _windows(known: WindowData, module: Algorithm, *, cache: Path | None, **reading: Any) -> WindowData:
    """The data as this policy reads them: so many observations and actions, from pictures or from a cache."""
    size: dict[str, Any] = {"past": module.policy.past, "future": module.policy.future}
    return WindowData(path=known.path, seed=known.seed, cache=cache, **size, **reading)


def _require_agreement(known: WindowData, module: Algorithm, *, cache: bool) -> None:
    """Refuse options that are each possible and together are not, before anything is begun."""
    views = known.views
    longest = max(row.steps for row in known.training_rows)
    for name, value in (("past", module.policy.past), ("future", module.policy.future)):
        if value > longest:
            raise UserError(f"{name} is {value}, but the longest episode has {longest} steps: more is never learnt")
    if cache and not module.policy.vision.frozen:
        raise UserError(
            "cache: true needs frozen vision; set frozen: true and tuned_stages: 0, or cache: false to tune it"
        )
    if module.policy.depth and not known.maps:
        raise UserError("the policy has a depth encoder, but no depth is read: set maps: [depth]")
    if views.count > 1 and not cache:
        raise UserError(f"views is {views.count}, but only cached features have views: images are augmented anyway")
    if cache and views.transforms and views.count == 1:
        raise UserError("cached features cannot be augmented at each reading: leave out cache or augment, or set views")


def _begun(module: Algorithm, before: Start, *, tell: Callable[[str], None]) -> dict[str, Any]:
    """Put the weights of another run into the policy, say which, and return what data.json keeps of it."""
    taken = before.give(module.policy)
    tell(f"begins with {before.folder.path}:")
    for line in taken.lines():
        tell(f"  {line}")
    return before.lineage(taken)


def _claimed(
    out: Path, known: WindowData, *, config: Mapping[str, Any], stats: Stats, lineage: Mapping[str, Any] | None
) -> RunFolder:
    """The folder of the run, which says from the beginning what is learnt from."""
    folder = RunFolder.claim(out, config)
    if folder.last_checkpoint and lineage:
        there = (folder.data.get("start") or {}).get("weights_sha256")
        if there != lineage["weights_sha256"]:
            raise UserError(f"{lineage['run']} has other weights than when {out} began with it; name a new folder")
    shares = {verb: round(share, 4) for verb, share in known.balance.skill_shares.items()}
    about = {**trained_on(known.dataset), "training_episodes": len(known.training_rows), "shares": shares}
    folder.describe(known.dataset.spec, stats, {**about, "start": lineage} if lineage else about)
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
        about: dict[str, Any] = {"epochs": trainer.max_epochs, "seconds": seconds, "device": device}
        told = {name: value.item() for name, value in trainer.callback_metrics.items() if name == "val/loss"}
        waits = [callback.wait for callback in trainer.callbacks if isinstance(callback, Account)]  # type: ignore[attr-defined]
        folder.finish(module.policy, **about, data_wait=waits[0], val_loss=told.get("val/loss"))
        write_model_card(folder.path)


def trained_on(dataset: Dataset) -> dict[str, Any]:
    """What data.json says of the data set."""
    manifest = dataset.manifest
    return {
        "path": str(dataset.path),
        "episodes": manifest["episodes"],
        "steps": manifest["steps"],
        "goals": dict(sorted(Counter(str(row.goal) for row in dataset.rows).items())),
        "skills": dict(sorted(Counter(row.goal.verb for row in dataset.rows).items())),
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


def _cache(known: WindowData, module: Algorithm, precision: str) -> Path:
    """The features of the frozen vision encoder, beside the data set, under the encoder's hash and its precision."""
    vision = module.policy.vision
    half, every = precision.startswith("bf16"), 1 if module.policy.past > 1 else known.cut.stride
    fingerprint = {**vision.fingerprint(), "precision": "bf16" if half else "fp32"}
    parts = [fingerprint["sha256"][:12], *map(str, vision.stages), fingerprint["precision"], f"every{every}"]
    if known.maps:
        fingerprint["depth"] = GRID
        parts.append("depth")
    if known.views.count > 1:
        parts.append(f"views{known.views.count}-{number(json.dumps(known.views.about)):016x}")
    path = known.path.with_name(f"{known.path.name}.features-{'-'.join(parts)}")

    def encode(name: str, frames: Any) -> list[Any]:
        if name not in vision.cameras:
            return [on_grid(torch.from_numpy(metres(frames))[:, None]).half().numpy()]
        images = torch.from_numpy(frames).permute(0, 3, 1, 2)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=half):  # a third of the time
            return [stage.contiguous().numpy() for stage in vision.encode(images)]

    kept: dict[str, Any] = {"every": every, "views": known.views, "maps": known.maps}
    write_features(known.path, path, encode, fingerprint=fingerprint, **kept)
    return path


def _trainer(out: Path, windows: WindowData, *, validate_every: int, **settings: Any) -> Trainer:
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
        callbacks=[Finite(out), Account(windows), last, TQDMProgressBar(refresh_rate=10)],
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
