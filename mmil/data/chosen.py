"""Which episodes are learnt from: decided by their keys, so that each stays where it is when others are added."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmil.contracts import UserError
from mmil.data.sentences import number
from mmil.data.shards import Row


def held_out(key: str, *, share: float) -> bool:
    """Whether an episode is for validation."""
    return number("validation", key) < share * 2**64


def first(rows: Sequence[Row], episodes: int | None, *, of: Path) -> list[Row]:
    """The first so many of them by their keys, in the order in which they lie; None: all."""
    if episodes is None:
        return list(rows)
    if episodes > len(rows):
        raise UserError(f"episodes is {episodes}; {of} has {len(rows)} to train on")
    chosen = set(sorted(row.key for row in rows)[:episodes])
    return [row for row in rows if row.key in chosen]


def shared_batch(batch_size: int, processes: int) -> int:
    """Windows of a step that each of the processes reads."""
    if batch_size % processes:
        raise UserError(f"batch_size is {batch_size} windows, which {processes} processes cannot share alike")
    return batch_size // processes


def require_least(**least: tuple[int | None, int]) -> None:
    """Refuse, by its name, a number below the lowest that makes sense."""
    for name, (value, lowest) in least.items():
        if value is not None and value < lowest:
            raise UserError(f"{name} is {value}; it must be at least {lowest}")
