"""The toy scene by its recipes, made small: demonstrations, and how `mmil train` learns from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from mmil.algos.launch import train_somewhere
from mmil.cli import main
from mmil.config import parse

CONFIGS = Path(__file__).parents[1] / "configs"
TINY = {"epochs": 1, "validation": 0.0, "batch_size": 16}
APART = ("interaction", "cluster", "slurm", "data", "out")  # of `mmil train`, not of the trainings within it


def mmil(arguments: Sequence[str]) -> None:
    """A command, in this process."""
    torch.set_num_threads(1)  # as trials here leave it: with others, sums differ in their last bits
    alone = ["--workers=1", "--patience=null"] if arguments[0] in ("generate", "evaluate", "diagnose") else []
    assert main([*arguments, *alone]) == 0


def demonstrated(out: Path, *, episodes: int = 8) -> Path:
    mmil(["generate", "--config", str(CONFIGS / "generate/toy.yaml"), f"--episodes={episodes}", f"--out={out}"])
    return out


def training(folder: Path, **changed: Any) -> dict[str, Any]:
    """The recipe of the toy as `mmil train` resolves it."""
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump({**TINY, **changed}))
    arguments = ["--config", str(CONFIGS / "train/toy.yaml"), "--config", str(path), "--data=d", "--out=o"]
    resolved = parse(train_somewhere, arguments, verb="train", skip=("config", "tell")).resolved
    return {name: resolved[name] for name in resolved if name not in APART}
