"""metrics.csv: every logged number of a run, kept across a resume."""

from __future__ import annotations

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from mmil.data.shards import write_atomic


class MetricsFile(Logger):
    """A row a step that logged something; rows that a resumed run trains again are replaced by the new ones.

    Lightning's CSVLogger begins a new file when a run is resumed.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._rows: dict[int, dict[str, Any]] = {}
        if path.is_file():
            with path.open(newline="") as file:
                self._rows = {int(row["step"]): {k: v for k, v in row.items() if v} for row in csv.DictReader(file)}

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """They are in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        number = step or 0
        self._rows = {known: row for known, row in self._rows.items() if known <= number}
        self._rows.setdefault(number, {}).update(metrics, step=number)

    @rank_zero_only
    def save(self) -> None:
        if not self._rows:
            return
        names = sorted({name for row in self._rows.values() for name in row} - {"epoch", "step"})
        lines: list[list[object]] = [["epoch", "step", *names]]
        lines += [
            [row.get("epoch", ""), step, *[row.get(name, "") for name in names]] for step, row in self._rows.items()
        ]
        write_atomic(self.path, "".join(",".join(str(cell) for cell in line) + "\n" for line in lines).encode())

    @rank_zero_only
    def finalize(self, status: str) -> None:
        self.save()
