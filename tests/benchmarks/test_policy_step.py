"""The time of a policy step: one plan from two pictures, signals, a wrench and a sentence, on one CPU core.

As a robot would call it, Runner.act with a plan at every step; the parts are those of configs/train/quickstart.yaml,
with every head, and of configs/train/skills.yaml, which also compares two observations and looks twice.
The first step of an episode also reads its sentence, which is then kept.
"""

from __future__ import annotations

import inspect
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import yaml

import mmil.heads
from mmil.config import rebuild
from mmil.contracts import Observation, Spec
from mmil.data.stats import Stats
from mmil.encoders import FilmFusion, SignalTokens, TextTokens, TimmVision, WrenchTokens
from mmil.heads import Head
from mmil.policy import Policy
from mmil.runner import Runner
from tests.learning import SPEC, unit_stats

WARM, ROUNDS, STEPS = 10, 5, 30
BAR = 25.0  # [ms], of Regression
POSES = {"camera_front": (8,), "camera_wrist": (8,)}
TWO = replace(SPEC, cameras={"front": (128, 128, 3), "wrist": (128, 128, 3)}, signals={**SPEC.signals, **POSES})
RECIPES = Path(__file__).parents[2] / "configs" / "train"


def heads() -> dict[str, type[Head]]:
    """Every head that mmil.heads exports."""
    found = vars(mmil.heads).items()
    return {name: kind for name, kind in found if inspect.isclass(kind) and not inspect.isabstract(kind)}


def quickstart(head: type[Head], *, past: int = 1) -> Runner:
    """The quickstart's policy with this head."""
    policy = Policy(
        TWO,
        unit_stats(TWO),
        vision=partial(TimmVision, stages=(2, 3), width=48),
        language=partial(TextTokens, width=48),
        signals=partial(SignalTokens, width=48),
        wrench=partial(WrenchTokens, width=48),
        fusion=partial(FilmFusion),
        head=head,
        past=past,
    )
    return Runner(policy, execute=1)


def recipe(name: str) -> Runner:
    """The policy that configs/train/<name>.yaml trains."""
    told = yaml.safe_load((RECIPES / f"{name}.yaml").read_text())["algo"]["init_args"]["policy"]

    def holder(*, policy: Callable[[Spec, Stats], Policy]) -> None: ...

    return Runner(rebuild(holder, {"policy": told})["policy"](TWO, unit_stats(TWO)), execute=1)


def observations(spec: Spec, sentence: str) -> list[Observation]:
    draw = np.random.default_rng(0)
    return [
        Observation(
            {camera: draw.integers(0, 256, shape, dtype=np.uint8) for camera, shape in spec.cameras.items()},
            {name: draw.standard_normal(shape).astype(np.float32) for name, shape in spec.signals.items()},
            sentence,
        )
        for _ in range(STEPS)
    ]


def milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - begun)


def test_policy_step_of_every_head(capsys) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seen = observations(TWO, "lift the red cube")
    runners = {name: quickstart(head) for name, head in heads().items()}
    runners["Regression, K = 3"] = quickstart(mmil.heads.Regression, past=3)
    runners["skills.yaml"] = recipe("skills")
    first, rounds = {}, {name: [] for name in runners}
    for name, runner in runners.items():
        runner.reset(0)
        runner.act(replace(seen[0], instruction="push the green block"))
        first[name] = milliseconds(lambda runner=runner: runner.act(seen[0]))
        for one in seen[:WARM]:
            runner.act(one)
    for _ in range(ROUNDS):  # the machine is slower in some seconds: everybody in turn
        for name, runner in runners.items():
            took = [milliseconds(lambda runner=runner, one=one: runner.act(one)) for one in seen]
            rounds[name].append(statistics.median(took))
    torch.set_num_threads(threads)
    with capsys.disabled():
        sys.stdout.write(f"\npolicy step on one core [ms] (bar: Regression {BAR:.0f})   a round each   first step\n")
        for name, took in rounds.items():
            each = ", ".join(f"{one:.1f}" for one in took)
            sys.stdout.write(f"{name:<20}{statistics.median(took):7.1f}   [{each}]   {first[name]:.1f}\n")
    assert set(heads()) <= set(rounds) and all(min(took) > 0 for took in rounds.values())
