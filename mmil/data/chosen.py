"""Which episodes are learnt from: decided by their keys, so that each stays where it is when others are added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.data.sentences import number
from mmil.data.shards import Row


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Of which qualities (all), the share held out for validation, and the first so many of the others (all)."""

    validation: float
    qualities: Sequence[str] | None = None
    episodes: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise UserError(f"validation is {self.validation}; it is a share of the episodes, at least 0 and below 1")
        require_least(episodes=(self.episodes, 1))

    def rows(self, dataset: Dataset, *, training: bool, of: Path) -> list[Row]:
        """To train on, or for validation; those whose sentence is held out are not learnt from, whatever the key."""
        every = dataset.rows if self.qualities is None else dataset.rows_of(self.qualities)
        rows = [row for row in every if row.split == "train" or not training]
        rows = [row for row in rows if held_out(row.key, share=self.validation) != training]
        return _first(rows, self.episodes, of=of) if training else rows


def held_out(key: str, *, share: float) -> bool:
    """Whether an episode is for validation."""
    return number("validation", key) < share * 2**64


def _first(rows: Sequence[Row], episodes: int | None, *, of: Path) -> list[Row]:
    """The first so many by their keys, in the order in which they lie."""
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
