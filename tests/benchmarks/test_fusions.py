"""A training step of every fusion, on features of the quickstart's sizes: parameters and processor time [ms]."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from functools import partial

import torch

from mmil.contracts import Batch, Spec
from mmil.encoders import CrossFusion, FilmFusion, SignalTokens, TextTokens, TimmVision, TransformerFusion, WrenchTokens
from mmil.heads import Mixture
from mmil.policy import Policy
from tests.learning import SENTENCES, SPEC, unit_stats

SIZE, STEPS, WARM, ROUNDS, WIDTH = 64, 10, 2, 3, 48
POSE = torch.tensor([0.0, 0, 2, 0, 0, 0, 1, 1])  # of a camera that looks down
KINDS = {
    "film": partial(FilmFusion, ground=0.82),
    "cross": partial(CrossFusion, ground=0.82),
    "transformer": partial(TransformerFusion, ground=0.82),
    "cross, rays": partial(CrossFusion, ground=0.82, rays=True),
    "transformer, rays": partial(TransformerFusion, ground=0.82, rays=True),
}


def calibrated() -> Spec:
    cameras = {name: (128, 128, 3) for name in SPEC.cameras}
    return replace(SPEC, cameras=cameras, signals={**SPEC.signals, **{f"camera_{name}": (8,) for name in cameras}})


def step_of(policy: Policy, batch: Batch) -> float:
    """Seconds of the median step."""
    optimizer = torch.optim.AdamW([p for p in policy.parameters() if p.requires_grad], lr=1e-3, foreach=True)
    taken = []
    for _ in range(WARM + STEPS):
        begun = time.process_time()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16()):
            loss = policy.loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        taken.append(time.process_time() - begun)
    return sorted(taken[WARM:])[STEPS // 2]


def bf16() -> bool:
    from mmil.algos.machine import fitting

    return fitting("auto", kind="cpu") == "bf16-mixed"


def test_training_steps_of_fusions(capsys) -> None:
    torch.set_num_threads(1)
    spec = calibrated()
    signals = {name: torch.randn(SIZE, 1, *shape) for name, shape in spec.signals.items()}
    signals |= {f"camera_{name}": POSE.expand(SIZE, 1, 8) for name in spec.cameras}
    parts = {
        "vision": partial(TimmVision, width=WIDTH),
        "language": partial(TextTokens, width=WIDTH),
        "signals": partial(SignalTokens, width=WIDTH),
        "wrench": partial(WrenchTokens, width=WIDTH),
        "head": Mixture,
    }
    policies = {name: Policy(spec, unit_stats(spec), fusion=kind, **parts).train() for name, kind in KINDS.items()}
    maps = policies["film"].vision.encode(torch.zeros(1, 3, 128, 128, dtype=torch.uint8))
    images = {name: [torch.randn(SIZE, 1, *stage.shape[1:]).half() for stage in maps] for name in spec.cameras}
    said = [SENTENCES[at % len(SENTENCES)] for at in range(SIZE)]
    batch = Batch(images, signals, said, torch.rand(SIZE, 8, 7), torch.ones(SIZE, 8, dtype=torch.bool))
    rounds = [{name: step_of(policy, batch) for name, policy in policies.items()} for _ in range(ROUNDS)]
    with capsys.disabled():
        sys.stdout.write(f"\nbatch {SIZE}, two cameras, {'bf16' if bf16() else 'fp32'}, 1 thread\n")
        for name, policy in policies.items():
            count = sum(p.numel() for p in policy.fusion.parameters())
            taken = [1e3 * one[name] for one in rounds]
            every = ", ".join(f"{ms:.0f}" for ms in taken)
            sys.stdout.write(f"{name}: {count:,} parameters, {sorted(taken)[ROUNDS // 2]:.0f} ms a step ({every})\n")
    assert all(taken > 0 for one in rounds for taken in one.values())
