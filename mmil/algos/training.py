"""`mmil train`: a data set and an algorithm to a run folder, resumed where it stopped."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lightning import Callback, seed_everything
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from mmil.algos.account import Account
from mmil.algos.algorithm import Algorithm
from mmil.algos.caching import keep_sentences, read_from_cache
from mmil.algos.compiling import compile_policy
from mmil.algos.ending import Ending, fit
from mmil.algos.finite import Finite
from mmil.algos.held_out import known_before, require_held_out
from mmil.algos.machine import Devices, Machine, Precision, StrategyName
from mmil.algos.metrics import MetricsFile
from mmil.algos.resuming import last_checkpoint
from mmil.algos.start import Start, Statistics
from mmil.contracts import Spec, UserError, require_number
from mmil.data.chosen import shared_batch
from mmil.data.dataset import MANIFEST, Dataset
from mmil.data.module import WindowData
from mmil.data.shards import file_sha256
from mmil.data.stats import Stats
from mmil.first import is_first
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
    precision: Precision = "auto",
    accelerator: str = "auto",
    devices: Devices = "auto",
    nodes: int = 1,
    strategy: StrategyName = "auto",
    compile: bool = False,
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

    Args:
        data: the data set, on a disk that all nodes share
        out: the run folder, on such a disk too; one that was stopped goes on
        algo: the recipe, and the policy that it trains
        epochs: how often the training windows are read
        validate_every: epochs from one look at the episodes that are held out to the next
        cache: keep the features of the frozen part of the vision encoder beside the data, and train on them; and what
            a frozen text model makes of the sentences
        seed: of the weights that begin at random, and of the order of windows
        gradient_clip: largest norm of a gradient; 0: any
        precision: of what is computed; auto: as the device computes best
        accelerator: cpu, gpu or auto
        devices: how many of them on each node (CPU: processes); auto: every GPU, or one process
        nodes: machines that train together
        strategy: each process holds the whole policy (ddp), or its share of what is trained (fsdp); auto: ddp where
            they are many
        compile: torch.compile what is trained
        loggers: what is kept beside metrics.csv
        wandb: whether its log is sent on
        start: a finished run to begin with
        start_cameras: camera of the data → camera of that run whose weights it takes (those of the same name)
        start_statistics: what signals are normalised by: old: what that run knew of them; new: what the data say
        config: all options, resolved; kept in the run
        tell: hears what was taken over
        reading: what else WindowData is told of how to read it
    """
    _require_numbers(seed, epochs=epochs, validate_every=validate_every, gradient_clip=gradient_clip)
    config, tell = dict(config or {}), rank_zero_only(tell)
    if _over(out, config):
        return out
    seed_everything(seed, workers=True, verbose=False)
    machine = Machine(accelerator, devices=devices, nodes=nodes, strategy=strategy, precision=precision)
    known = WindowData(path=data, seed=seed, cache=None, past=1, first=False, future=1, **reading)
    before = Start(start, known.dataset.spec, cameras=start_cameras, statistics=start_statistics) if start else None
    module = _module(algo, known, config=config, seed=seed, before=before)
    _require_agreement(known, module, cache=cache, processes=machine.processes)
    windows = _windows(known, module, machine=machine if cache else None, **reading)
    lineage = _begun(module, before, tell=tell) if before else None
    for line in known_before(before, known.dataset) if before else ():
        tell(line)
    if compile:
        compile_policy(module.policy, device=machine.kind, tell=tell)
    logs = [MetricsFile(out / "metrics.csv"), *_loggers(loggers, out, wandb)]
    laps = {"max_epochs": epochs, "check_val_every_n_epoch": validate_every, "gradient_clip_val": gradient_clip}
    trainer = machine.trainer(callbacks=_callbacks(out, windows), logger=logs, **laps)
    fit(trainer, module, windows, _claimed(out, known, config=config, stats=module.stats, lineage=lineage))
    return out


def _require_numbers(seed: int, *, epochs: int, validate_every: int, gradient_clip: float) -> None:
    require_number(least=1, epochs=epochs, validate_every=validate_every)
    require_number(least=0, gradient_clip=gradient_clip)
    require_number(least=0, below=2**32, seed=seed)


def _over(out: Path, config: Mapping[str, Any]) -> bool:
    """Whether nothing is left to do; only the first process judges the folder, which it may be about to make."""
    return RunFolder.finished_with(out, config) if is_first() else RunFolder(out).finished


def _module(
    algo: Callable[..., Algorithm], known: WindowData, *, config: Mapping[str, Any], seed: int, before: Start | None
) -> Algorithm:
    """The algorithm for this data, which knows the sentences there are and what to write into checkpoints."""
    known.setup()
    require_held_out(known.datasets)
    stats = before.stats(known.stats) if before else known.stats
    try:
        module = algo(known.dataset.spec, stats, sentences=known.sentences, bound=known.bound)
    except (TypeError, ValueError, RuntimeError) as error:  # of what is not a part, or of options no layer can have
        raise UserError(f"of this config no policy can be made: {type(error).__name__}: {error}"[:400]) from error
    module.resolved, module.seed = dict(config), seed
    return module


def _windows(known: WindowData, module: Algorithm, *, machine: Machine | None, **reading: Any) -> WindowData:
    """The data as this policy reads them: so many observations and actions, from pictures or what a machine caches."""
    size: dict[str, Any] = {name: getattr(module.policy, name) for name in ("past", "first", "future")}
    windows = WindowData(path=known.path, seed=known.seed, cache=None, **size, **reading)
    if machine:
        read_from_cache(windows, module.policy, precision=machine.fitting, device=machine.kind)
        keep_sentences(known.path, module.policy.language)
    return windows


def _require_agreement(known: WindowData, module: Algorithm, *, cache: bool, processes: int) -> None:
    """Refuse options that are each possible and together are not, before anything is begun."""
    shared_batch(known.batch_size, processes)
    views = known.views
    longest = max(row.steps for row in known.training_rows)
    for name, value in (("past", module.policy.past), ("future", module.policy.future)):
        if value > longest:
            raise UserError(f"{name} is {value}, but the longest episode has {longest} steps: more is never learnt")
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
    if not is_first():
        return RunFolder(out)
    folder = RunFolder.claim(out, config)
    if folder.last_checkpoint and lineage:
        there = (folder.data.get("start") or {}).get("weights_sha256")
        if there != lineage["weights_sha256"]:
            raise UserError(f"{lineage['run']} has other weights than when {out} began with it; name a new folder")
    shares = {verb: round(share, 4) for verb, share in known.balance.skill_shares.items()}
    about = {**trained_on(known), "training_episodes": len(known.training_rows), "shares": shares}
    folder.describe(known.dataset.spec, stats, {**about, "start": lineage} if lineage else about)
    return folder


def trained_on(known: WindowData) -> dict[str, Any]:
    """What data.json says of the data set, and of those that were read with it."""
    dataset, more = known.dataset, known.datasets[1:]
    manifest = dataset.manifest
    about = {
        "path": str(dataset.path),
        "episodes": manifest["episodes"],
        "steps": manifest["steps"],
        "goals": dict(sorted(Counter(str(row.goal) for row in dataset.rows).items())),
        "skills": dict(sorted(Counter(row.goal.verb for row in dataset.rows).items())),
        "sentences": sum(len(entry["sentences"]) for entry in manifest["sentences"]),
        "manifest_sha256": _manifest_sha256(dataset),
        "config": manifest["config"],
    }
    added = [{"path": str(one.path), "episodes": len(one), "manifest_sha256": _manifest_sha256(one)} for one in more]
    return {**about, "more": added} if added else about


def _manifest_sha256(dataset: Dataset) -> str:
    return file_sha256(dataset.path / MANIFEST)


def _callbacks(out: Path, windows: WindowData) -> list[Callback]:
    return [Finite(out), Account(windows), last_checkpoint(out), Ending(), TQDMProgressBar(refresh_rate=10)]


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
