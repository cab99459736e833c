"""A control step without cameras, against stock robosuite's PickPlace, in one run: the median of some pairs.

Ours is Scene.step: five wrench readings, signals, state and outcome included.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

from mmil.scenes.classic import PickPlace
from tests.benchmarks.stock import SECONDS, stock_rate

PAIRS = 5


def our_rate() -> float:
    """Control steps a second."""
    scene, rng = PickPlace(horizon=10**6), np.random.default_rng(0)
    scene.reset(0)
    for _ in range(5):
        scene.step(np.zeros(7))
    steps, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        scene.step(rng.uniform(-0.3, 0.3, 7))
        steps += 1
    seconds = time.perf_counter() - begun
    scene.close()
    return steps / seconds


def test_control_step_against_stock(capsys) -> None:
    pairs = [(stock_rate("blind"), our_rate()) for _ in range(PAIRS)]
    ratio = statistics.median(ours / stock for stock, ours in pairs)
    with capsys.disabled():
        told = ", ".join(f"{ours:.0f} / {stock:.0f}" for stock, ours in pairs)
        sys.stdout.write(f"\nwithout cameras, ours / stock: {told} steps/s; {ratio:.1f} x\n")
    assert ratio > 1
