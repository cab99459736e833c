"""How the learning rate goes over a training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

Schedule = Literal["cosine", "linear", "constant"]
AFTER: Mapping[str, Callable[[float], float]] = {  # how far from the warm-up to the end, 0 to 1 → factor
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "linear": lambda done: 1 - done,
    "constant": lambda done: 1.0,
}


def rate(step: int, *, schedule: Schedule, warmup: int, total: int) -> float:
    """Factor on the learning rate: up over `warmup` steps, then as the schedule goes, to `total`."""
    if step < warmup:
        return (step + 1) / warmup
    return AFTER[schedule](min(1.0, (step - warmup) / max(1, total - warmup)))
