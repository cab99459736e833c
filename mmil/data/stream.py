"""The road from shards of images to batches, as a webdataset pipeline.

shards (shuffled) → a rank's → a worker's → encoded episodes → windows (shuffled, still encoded) → decoded batches.
For validation every rank reads all shards, and it is windows that are shared out: each decodes as many as any other.
The order depends on the seed, the epoch and the number of ranks and workers, and on nothing else.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import webdataset as wds
from torch.utils.data import DataLoader, get_worker_info

from mmil.contracts import Batch, Spec, UserError
from mmil.data.balance import Balance
from mmil.data.members import read_samples
from mmil.data.ring import Parcel, Ring
from mmil.data.sentences import Rephrase
from mmil.data.shards import Row
from mmil.data.windows import Cut, Window, collate, cut_windows


class Clock:
    """Which epoch it is, and which time through the data within it; workers that are running see it change."""

    def __init__(self) -> None:
        self._now = torch.zeros(2, dtype=torch.int64).share_memory_()

    @property
    def now(self) -> tuple[int, int]:
        epoch, lap = self._now.tolist()
        return epoch, lap

    def set(self, epoch: int, lap: int) -> None:
        self._now[0], self._now[1] = epoch, lap


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A picklable pipeline over some episodes of a data set; workers each run one."""

    folder: Path
    rows: Sequence[Row]
    spec: Spec
    cut: Cut
    batch_size: int
    maps: Sequence[str] = ()  # of the depth maps, those that are read
    shuffle_buffer: int = 0  # windows; 0: the order of the shards
    resampled: bool = False  # every worker draws shards with replacement
    rephrase: Rephrase | None = None
    balance: Balance | None = None  # None: every window once
    evenly: bool = False  # share out windows and not shards
    seed: int = 0
    rank: int = 0
    ranks: int = 1
    clock: Clock = field(default_factory=Clock)
    ring: Ring | None = None

    def loader(self, workers: int) -> DataLoader:
        return DataLoader(
            self.pipeline(),
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # not the network's: a reader ahead of it would draw at any time
        )

    def pipeline(self) -> wds.DataPipeline:
        """Batches of one lap; a worker's last one may be smaller than the others."""
        split = [] if self.resampled else [wds.split_by_worker]
        if not (self.resampled or self.evenly):
            split.insert(0, self._of_this_rank)
        windows = self._dealt if self.evenly else self._windows
        return wds.DataPipeline(self._shards, *split, windows, self._shuffled, self._batches)

    def _shards(self) -> Iterator[list[Row]]:
        shards: dict[str, list[Row]] = {}
        for row in self.rows:
            shards.setdefault(row.shard, []).append(row)
        order = list(shards.values())
        if self.resampled:
            draw = self._random("shards", self.rank, _worker())
            yield from (draw.choice(order) for _ in range(self._shards_a_worker(len(order))))
            return
        if self.shuffle_buffer:
            self._random("shards").shuffle(order)
        yield from order

    def _shards_a_worker(self, shards: int) -> int:
        info = get_worker_info()
        return -(-shards // (self.ranks * (info.num_workers if info else 1)))

    def _of_this_rank(self, shards: Iterable[list[Row]]) -> Iterator[list[Row]]:
        return islice(shards, self.rank, None, self.ranks)  # told, not looked up: a spawned worker knows no ranks

    def _windows(self, shards: Iterable[list[Row]]) -> Iterator[Window]:
        readings = self._readings()
        for rows in shards:
            for row, windows in self._cut([row for row in rows if readings[row.key].any()]):
                for window, count in zip(windows, readings[row.key].tolist(), strict=True):
                    yield from (replace(window, again=again) if again else window for again in range(count))

    def _dealt(self, shards: Iterable[list[Row]]) -> Iterator[Window]:
        """Each window to one rank in turn; see Order, which deals out cached ones alike."""
        ends = np.cumsum([len(self.cut.times(row)) for row in self.rows]).tolist()
        firsts = {row.key: first for row, first in zip(self.rows, [0, *ends[:-1]], strict=True)}
        for rows in shards:
            for row, windows in self._cut(rows):
                for number, window in enumerate(windows, start=firsts[row.key]):
                    yield from self._of_mine(window, number, of=ends[-1])

    def _of_mine(self, window: Window, number: int, *, of: int) -> Iterator[Window]:
        """It, if this rank's turn comes at its number; up to ranks − 1 come again at the end, and do not count."""
        for place in range(number, of + -of % self.ranks, of):
            if place % self.ranks == self.rank:
                yield window if place < of else replace(window, valid=np.zeros_like(window.valid))

    def _cut(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Iterator[Window]]]:
        for row, sample in read_samples(self.folder, rows):
            yield row, cut_windows(row, sample, cut=self.cut, spec=self.spec, maps=self.maps)

    def _readings(self) -> dict[str, np.ndarray]:
        """Key → how often each window of that episode is read this time, whoever reads it."""
        windows = [len(self.cut.times(row)) for row in self.rows]
        balance = self.balance or Balance(rows=self.rows, windows=windows)
        parts = np.split(balance.readings(*self.clock.now), np.cumsum(windows)[:-1])
        return {row.key: part for row, part in zip(self.rows, parts, strict=True)}

    def _shuffled(self, windows: Iterator[Window]) -> Iterator[Window]:
        size = self.shuffle_buffer
        if not size:
            return windows
        draw = self._random("windows", self.rank, _worker())
        return wds.shuffle(size, initial=size, rng=draw)(windows)

    def _batches(self, windows: Iterator[Window]) -> Iterator[Batch | Parcel]:
        epoch, _ = self.clock.now
        while group := list(islice(windows, self.batch_size)):
            batch = collate(group, spec=self.spec, rephrase=self.rephrase, epoch=epoch)
            yield self.ring.pack(batch) if self.ring else batch

    def _random(self, *what: object) -> random.Random:
        epoch, lap = self.clock.now
        return random.Random(":".join(map(str, (self.seed, epoch, lap, *what))))


def useful_workers(rows: Sequence[Row], *, wanted: int, ranks: int, told: bool, of: Path) -> int:
    """Workers that have something to read: images are shared out by the shard, and each rank needs one.

    told: whether somebody asked for so many, and is warned where they are too many.
    """
    shards = len({row.shard for row in rows})
    if rows and shards < ranks:
        raise UserError(
            f"{shards} shards cannot be shared by {ranks} ranks: make it with fewer episodes_per_shard, "
            "use fewer ranks, or set resampled: true"
        )
    if told and shards // ranks < wanted:
        warnings.warn(f"{of} has shards for {shards // ranks} of {wanted} workers", stacklevel=5)
    return min(wanted, max(1, shards // ranks))


def _worker() -> int:
    info = get_worker_info()
    return info.id if info else 0
