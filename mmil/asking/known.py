"""What a policy makes of states that were visited before, and who drove there and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch

from mmil.asking.rule import Known
from mmil.contracts import VISITED, flags_of
from mmil.data.dataset import Dataset
from mmil.data.members import read_samples
from mmil.data.shards import Row
from mmil.data.windows import Cut, Window, collate, cut_windows
from mmil.policy import Policy
from mmil.progress import progress

MOST = 4000  # states
BATCH = 64


@torch.no_grad()
def known_of(policy: Policy, data: Sequence[Path], *, most: int = MOST) -> Known:
    """Of every n-th step of these data sets, n such that there are `most` at most."""
    datasets = [Dataset.open(path) for path in data]
    steps = sum(row.steps for dataset in datasets for row in dataset.rows)
    cut = Cut(past=policy.past, first=policy.first, future=1, stride=-(-steps // most), target="actions")
    vectors: list[torch.Tensor] = []
    flags: list[tuple[bool, bool, bool]] = []
    policy.eval()
    for dataset in datasets:
        states = _states(dataset, cut, maps=policy.depth.names if policy.depth else ())
        total = sum(len(cut.times(row)) for row in dataset.rows)
        shown = iter(progress(states, f"looking at {dataset.path.name}", total=total, unit="states"))
        while some := list(islice(shown, BATCH)):
            batch = collate([window for _, window in some], spec=dataset.spec)
            vectors.append(policy.context(batch).vector)
            flags += [_flags(row, window.t) for row, window in some]
    labelled, failed, driven = torch.tensor(flags, dtype=torch.bool).reshape(-1, 3).T
    return Known(torch.cat(vectors), labelled, failed, driven)


def _states(dataset: Dataset, cut: Cut, *, maps: Sequence[str]) -> Iterator[tuple[Row, Window]]:
    for row, sample in read_samples(dataset.path, dataset.rows):
        for window in cut_windows(row, sample, cut=cut, spec=dataset.spec, maps=maps):
            yield row, window


def _flags(row: Row, t: int) -> tuple[bool, bool, bool]:
    """labelled, failed, driven: as Known has them."""
    driven = row.quality == VISITED
    return bool(flags_of(row.labelled, row.steps)[t]), driven and row.outcome != "success", driven
