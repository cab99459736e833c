"""Which of several processes that do the same speaks and writes."""

from __future__ import annotations

import os

# what Lightning, torchrun and SLURM tell a process of its place; all are 0 or absent in the first one
PLACES = ("RANK", "SLURM_PROCID", "LOCAL_RANK", "NODE_RANK")


def is_first() -> bool:
    """Whether this is the one, also before the others have been met."""
    return all(int(os.environ.get(name) or 0) == 0 for name in PLACES)
