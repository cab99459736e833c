"""Batches of one epoch after another, each epoch in the order that is its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import webdataset as wds
from torch.utils.data import DataLoader

from mmil.contracts import Batch
from mmil.data.ahead import ahead
from mmil.data.batches import merge
from mmil.data.ring import Ring
from mmil.data.stream import Clock


class WindowLoader:
    """Iterating it asks `begin` which epoch starts, and gives `length` batches of it."""

    def __init__(
        self, loader: DataLoader, *, clock: Clock, ring: Ring, length: int, batch_size: int, begin: Callable[[], int]
    ) -> None:
        self._loader, self._clock, self._ring, self._begin = loader, clock, ring, begin
        self._length, self._batch_size = length, batch_size
        self.waited = 0.0  # [s], for batches that were not ready when they were asked for

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Batch]:
        self._clock.set(self._begin(), -1)
        laps = wds.DataPipeline(self._lap, lambda batches: merge(batches, batch_size=self._batch_size))
        batches = laps.with_epoch(self._length)  # here and not in the workers, who have unequal shares
        ready = iter(batches if self._loader.num_workers else ahead(batches))
        while True:
            asked = time.perf_counter()
            batch = next(ready, None)
            self.waited += time.perf_counter() - asked
            if batch is None:
                return
            yield batch

    def close(self) -> None:
        """End the workers now; the garbage collector would do it later, after waiting five seconds for each."""
        del self._loader

    def _lap(self) -> Iterator[Batch]:
        epoch, lap = self._clock.now
        self._clock.set(epoch, lap + 1)  # a rank with less data than its share goes round again, in another order
        self._ring.begin()
        yield from map(self._ring.unpack, self._loader)
