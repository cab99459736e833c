"""`mmil train` against a bare PyTorch loop: samples a second, ours over its, of one network on cached features.

Ours is all of it: Lightning, the loader, the moving average, clipping, the check of gradients, metrics.csv, TensorBoard
and wandb (offline), the progress bar, a checkpoint an epoch. Bare is forward, backward, clipping and the same AdamW, in
the same precision and over the same loss, on batches that are read by the same loader (what the loop costs) or lie in
memory (what reading costs as well). They take turns of a few steps within one training, so that a busy machine slows
all three alike; the bar is on the median turn, and all together hold the ends of epochs too, which are short here.
"""

from __future__ import annotations

import copy
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer

from mmil.algos import BC, machine, training
from mmil.config import parse
from mmil.contracts import Batch, Episode
from mmil.data.module import WindowData
from mmil.encoders import TimmVision
from tests.data.conftest import counting_episode, small_spec, write_dataset

RECIPE = Path(__file__).parents[2] / "configs" / "train" / "quickstart.yaml"
EPISODES, STEPS, SIZE = 160, 32, 128
TURN, WARM, TURNS = 6, 6, 20  # steps a turn, steps before the first, turns of each
SIGNALS = {
    **{"joint_pos": (7,), "eef_pos_world": (3,), "eef_quat_xyzw": (4,), "gripper_pos": (2,), "wrench": (25, 6)},
    **{"camera_front": (8,), "camera_wrist": (8,)},
}


def now() -> tuple[float, float]:
    """[s], of the wall and of what this thread has worked."""
    return time.perf_counter(), time.thread_time()


def since(begun: tuple[float, float]) -> tuple[float, float]:
    wall, work = now()
    return wall - begun[0], work - begun[1]


class Bare:
    """The least that trains a copy of this module."""

    def __init__(self, module: BC, batches: Iterator[Batch], *, half: bool) -> None:
        trainer, module._trainer = module._trainer, None
        self.module, self.batches, self.half = copy.deepcopy(module), batches, half
        module._trainer = trainer
        self.learnt = [p for p in self.module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.learnt, lr=1e-3, weight_decay=1e-2, foreach=True)

    def __call__(self) -> None:
        batch = next(self.batches)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            context = self.module.policy.context(batch)
            loss = self.module.policy.loss(batch, context)
            for weight, lesson in self.module._lessons(context, batch).values():
                loss = loss + weight * lesson
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learnt, 1.0)
        self.optimizer.step()


class Turns(Callback):
    """Times ours from the end of one pause to the next, and in each pause the others."""

    def __init__(self, data: Callable[..., WindowData]) -> None:
        self.data, self.seconds = data, {"ours": [], "same loader": [], "in memory": []}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        ours = trainer.datamodule
        same = self.data(path=ours.path, cache=ours.caches, batch_size=ours.batch_size, stride=ours.cut.stride)
        loader, half = same.train_dataloader(), trainer.precision.startswith("bf16")
        again = itertools.chain.from_iterable(iter(loader) for _ in itertools.count())
        kept = itertools.cycle([next(again) for _ in range(TURN)])
        self.others = {
            name: Bare(pl_module, batches, half=half)
            for name, batches in {"same loader": again, "in memory": kept}.items()
        }

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        done = trainer.global_step - WARM
        if done < 0 or done % TURN:
            return
        if done:
            self.seconds["ours"].append(since(self.begun))
        for name, step in self.others.items():
            begun = now()
            for _ in range(TURN):
                step()
            if done:  # the first time warms
                self.seconds[name].append(since(begun))
        self.begun = now()

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        trainer.should_stop = trainer.global_step > WARM + TURNS * TURN


def make_data(folder: Path) -> Path:
    spec = small_spec(SIZE, signals=SIGNALS)
    episodes = (calibrated(counting_episode(number, STEPS, spec=spec)) for number in range(EPISODES))
    return write_dataset(folder / "data", episodes, spec=spec, episodes_per_shard=32)


def calibrated(episode: Episode) -> Episode:
    """With cameras that stand above and look down, and a hand below them."""
    rng, steps = np.random.default_rng(episode.seed), len(episode.actions) + 1
    signals = {name: rng.normal(size=(steps, *shape)).astype(np.float32) for name, shape in SIGNALS.items()}
    pose = np.array([0, 0, 2, 0, 0, 0, 1, 0.8], np.float32)
    signals |= {name: np.tile(pose, (steps, 1)) for name in ("camera_front", "camera_wrist")}
    return replace(episode, signals=signals, privileged={"body_poses": np.ones((steps, 2, 7), np.float32)})


def pretended(self: TimmVision, images: torch.Tensor) -> list[torch.Tensor]:
    """Maps of the shapes that this encoder gives, without its work."""
    return [torch.rand(len(images), *shape).half() for shape in ((40, 16, 16), (112, 8, 8))]


def test_training_against_a_bare_loop(capsys, tmp_path, monkeypatch) -> None:
    turns = Turns(partial(WindowData, validation=0.0))
    monkeypatch.setattr(TimmVision, "encode", pretended)
    monkeypatch.setattr(
        machine, "Trainer", lambda **told: Trainer(**{**told, "callbacks": [*told["callbacks"], turns]})
    )
    told = ["--config", str(RECIPE), "--data", str(make_data(tmp_path)), "--out", str(tmp_path / "run")]
    told += ["--validation", "0", "--algo.init_args.policy.init_args.fusion.init_args.ground", "1.0"]
    parsed = parse(training.train, told, verb="train", skip=("config", "tell"))
    with capsys.disabled():
        training.train(**parsed.options, config=parsed.resolved)
        say(turns.seconds)
    assert len(turns.seconds["ours"]) >= TURNS - 1


def say(seconds: dict[str, list[tuple[float, float]]]) -> None:
    ours = seconds["ours"]
    steps = TURN * len(ours)
    sys.stdout.write(f"\nmmil train: {1e3 * sum(wall for wall, _ in ours) / steps:.1f} ms a step, {len(ours)} turns\n")
    for name in ("same loader", "in memory"):
        pairs = list(zip(ours, seconds[name], strict=True))
        ratios, work = (sorted(bare[clock] / mine[clock] for mine, bare in pairs) for clock in (0, 1))
        quarter, half, last = (ratios[len(ratios) * part // 4] for part in (1, 2, 3))
        whole = sum(bare for bare, _ in seconds[name]) / sum(mine for mine, _ in ours)
        sys.stdout.write(
            f"against a bare loop, batches {name}: {half:.3f} of its samples/s (bar: 0.95; half of the turns "
            f"{quarter:.3f} to {last:.3f}; all together {whole:.3f}; by its own time {work[len(work) // 2]:.3f})\n"
        )
