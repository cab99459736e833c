"""A small policy on small data, for every test and benchmark that learns: real parts, few numbers."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from mmil.algos import BC
from mmil.contracts import Batch, Spec
from mmil.data.stats import Moments, Stats
from mmil.encoders import FilmFusion, SignalTokens, TextTokens, TimmVision, WrenchTokens
from mmil.heads import Regression
from mmil.policy import Policy

SIGNALS = {"joint_pos": (7,), "eef_pos_world": (3,), "eef_quat_xyzw": (4,), "gripper_pos": (2,), "wrench": (5, 6)}
SPEC = Spec(
    scene="small",
    cameras={"front": (64, 64, 3), "wrist": (64, 64, 3)},
    signals=SIGNALS,
    action=("dx", "dy", "dz", "rx", "ry", "rz", "gripper"),
    control_hz=20,
    controller={"name": "none"},
    conventions={},
)
SENTENCES = ("lift the red cube", "pick up the blue cylinder", "could you raise the green block, please?")


def unit_stats(spec: Spec = SPEC) -> Stats:
    """Mean 0 and deviation 1 for everything."""

    def moments(size: int) -> Moments:
        return Moments(*(np.full(size, value, float) for value in (0, 1, -1, 1, -1, 1)))

    signals = {name: moments(shape[-1] if shape else 1) for name, shape in spec.signals.items()}
    return Stats(signals=signals, actions=moments(7), labels=moments(7), steps=100)


def tiny_policy(*, frozen: bool = True, past: int = 1, future: int = 8, **parts) -> partial:
    """A constructor of Policy as a config would give it."""
    return partial(
        Policy,
        **{
            "vision": partial(TimmVision, stages=(2,), width=32, frozen=frozen),
            "language": partial(TextTokens, width=32),
            "signals": partial(SignalTokens, width=32),
            "wrench": partial(WrenchTokens, width=32),
            "fusion": partial(FilmFusion, points=4, width=64),
            "head": partial(Regression, width=64),
            **parts,
        },
        past=past,
        future=future,
    )


def tiny_module(**options) -> BC:
    torch.manual_seed(0)
    return BC(SPEC, unit_stats(), policy=tiny_policy(**options), warmup=5)


def tiny_batch(size: int = 4, *, past: int = 1, future: int = 8, seed: int = 0, cached: bool = False) -> Batch:
    """Random pictures and numbers."""
    draw = torch.Generator().manual_seed(seed)
    images = {
        name: torch.randint(0, 256, (size, past, 3, 64, 64), dtype=torch.uint8, generator=draw) for name in SPEC.cameras
    }
    if cached:
        images = {name: [torch.randn(size, past, 40, 8, 8, generator=draw).half()] for name in SPEC.cameras}
    return Batch(
        images=images,
        signals={name: torch.randn(size, past, *shape, generator=draw) for name, shape in SIGNALS.items()},
        instruction=[SENTENCES[(i + seed) % len(SENTENCES)] for i in range(size)],
        actions=torch.rand(size, future, 7, generator=draw) * 2 - 1,
        valid=torch.ones(size, future, dtype=torch.bool),
    )


def tiny_batches(count: int, *, size: int) -> list[Batch]:
    """Of cached features, as the quickstart trains on."""
    return [tiny_batch(size, seed=seed, cached=True) for seed in range(count)]
