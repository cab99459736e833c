"""`mmil diagnose RUN`: the policy and its expert on the same layouts, and what comes of comparing them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mmil.config import expert_of
from mmil.contracts import require_number
from mmil.data.shards import write_atomic
from mmil.diagnosis.causes import causes
from mmil.diagnosis.drift import drift
from mmil.diagnosis.walk import Guides, Pair, walk
from mmil.evaluation.evaluate import load_runner, stage_of
from mmil.evaluation.extent import usual_horizon
from mmil.evaluation.runs import read_run
from mmil.evaluation.stage import Request
from mmil.evaluation.statistics import wilson
from mmil.evaluation.suites import load_suite
from mmil.evaluation.trials import mapped, weights_sha256
from mmil.parallel import PATIENCE
from mmil.run import RunFolder, commit

FOLDER, FILE = "diagnosis", "diagnosis.json"  # in the run's


def diagnose(
    run: Path,
    *,
    trials: int = 40,
    suite: str = "seen",
    seed: int = 0,
    workers: int | None = None,
    patience: float | None = PATIENCE,
    command: str = "",
) -> dict[str, Any]:
    """Trials of the run's policy and of its expert on the same layouts; what is found lies in RUN/diagnosis.

    Args:
        trials: how many layouts
        suite: of which suite
        seed: of the layouts
        workers: processes (one a core)
        patience: seconds a trial may take before its worker counts as hung and is replaced; null: no end
        command: what was typed; kept in what is written
    """
    require_number(least=2, trials=trials)
    require_number(least=0, seed=seed)
    folder = RunFolder.open(run)
    horizon = usual_horizon(folder.made_with["scene"])
    stage = stage_of(folder, partial(load_runner, folder.path), horizon=horizon)
    guides = Guides(stage, expert_of(folder.made_with, where=f"the data of {folder.path}"))
    asked = load_suite(suite)
    requests = [Request(asked, asked.seed(seed, index), turn=index) for index in range(trials)]
    done = mapped(walk, requests, guides, doing="walk", workers=workers, patience=patience, note=_so_far)
    told = drift([done[request] for request in requests])
    lines = causes(told, **_losses(run))
    about = {"suite": suite, "seed": seed, "command": command, "mmil_commit": commit()}
    found = {**about, "weights_sha256": weights_sha256(folder.path), **told, "causes": lines}
    (folder.path / FOLDER).mkdir(exist_ok=True)
    write_atomic(folder.path / FOLDER / FILE, json.dumps(found, indent=1).encode() + b"\n")
    return found


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """What a person should know of it."""
    success, expert = (wilson(found[name], found["walks"]) for name in ("successes", "expert_successes"))
    lines = [f"policy {success}, its expert {expert}"]
    lines += [f"end of episodes: {found['far']:.2f} times as far from the expert's states as the expert from its own"]
    lines[-1] += f" (expert {found['far_expert']:.2f}), {1000 * found['aside']:.0f} mm from its way through the layout"
    lines += [f"error: {found['error']:.3f} in its own states, {found['error_expert']:.3f} in the expert's"]
    if found["left"] is not None:
        lines.append(f"failures: {found['left_walks']} leave the expert's states, at step {found['left']:.0f} (median)")
    if found["heard"] is not None:
        lines.append(f"another sentence changes its first action {found['heard']:.2f} times as much as the expert's")
    return [*lines, *(f"diagnosis: {line}" for line in found["causes"])]


def _so_far(done: Mapping[Any, Pair]) -> str:
    return f"success {sum(pair.policy.success for pair in done.values())}/{len(done)}"


def _losses(run: Path) -> dict[str, float | None]:
    """The loss at the end of training, and on what was held out of it."""
    metrics = read_run(run).metrics
    trained = [row["train/loss"] for row in metrics if "train/loss" in row][-20:]
    held_out = [row["val/loss"] for row in metrics if "val/loss" in row][-1:]
    return {"loss": sum(trained) / len(trained) if trained else None, "held_out": held_out[0] if held_out else None}
