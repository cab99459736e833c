"""`mmil diagnose RUN`: the policy and its expert on the same layouts, and what comes of comparing them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmil.config import expert_of
from mmil.contracts import require_number
from mmil.data.jpeg import encode_frame
from mmil.data.shards import write_atomic
from mmil.diagnosis.card import card
from mmil.diagnosis.causes import causes
from mmil.diagnosis.drift import drift
from mmil.diagnosis.walk import Guides, Pair, walk
from mmil.diagnosis.worth import EXPERT, Judges, Valued, valued
from mmil.evaluation.evaluate import load_runner, stage_of
from mmil.evaluation.extent import usual_horizon
from mmil.evaluation.runs import read_run
from mmil.evaluation.stage import Request
from mmil.evaluation.statistics import wilson
from mmil.evaluation.suites import load_suite
from mmil.evaluation.trials import mapped, weights_sha256
from mmil.parallel import PATIENCE
from mmil.rewards.learned import load_reward
from mmil.run import REWARD, RunFolder, commit

FOLDER, FILE, FRAME = "diagnosis", "diagnosis.json", "reward-{}.jpg"  # in the run's


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
    if (folder.path / REWARD).is_file():
        judges = Judges(stage, guides.expert, folder.path)
        worth = mapped(valued, requests, judges, doing="reward", workers=workers, patience=patience)
        found["reward"] = _card(folder.path, [worth[request] for request in requests])
    write_atomic(folder.path / FOLDER / FILE, json.dumps(found, indent=1).encode() + b"\n")
    return found


def _card(run: Path, layouts: Sequence[Valued]) -> dict[str, Any]:
    """The card of the run's reward, and pictures of its example beside it."""
    for turn, frame in enumerate(layouts[0].walks[EXPERT].frames):
        write_atomic(run / FOLDER / FRAME.format(turn), encode_frame(frame))
    return card(layouts, discount=load_reward(run).discount)


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
    return [*lines, *(f"diagnosis: {line}" for line in found["causes"]), *_card_lines(found.get("reward"))]


def _card_lines(told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return []
    low, high = told["progress_interval"]
    lines = [f"reward: rank correlation with progress {told['progress']:.2f} [{low:.2f}, {high:.2f}]"]
    if told["along"] is not None:
        lines[0] += f", along a success {told['along']:.2f}"
    lines += [f"reward: the expert earns more than told another goal in {told['heard']} of {told['hearable']} layouts"]
    beaten = ", ".join(f"{who} in {count}" for who, count in told["beaten"].items())
    lines += [f"reward: the expert earns more than who is {beaten} of {told['layouts']}"]
    return [*lines, f"reward: {told['hacked']} of {told['failures']} failures earn more than the median success"]


def _so_far(done: Mapping[Any, Pair]) -> str:
    return f"success {sum(pair.policy.success for pair in done.values())}/{len(done)}"


def _losses(run: Path) -> dict[str, float | None]:
    """The loss at the end of training, and on what was held out of it."""
    metrics = read_run(run).metrics
    trained = [row["train/loss"] for row in metrics if "train/loss" in row][-20:]
    held_out = [row["val/loss"] for row in metrics if "val/loss" in row][-1:]
    return {"loss": sum(trained) / len(trained) if trained else None, "held_out": held_out[0] if held_out else None}
