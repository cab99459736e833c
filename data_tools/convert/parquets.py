"""Parquet files that follow one another as LeRobot numbers them: a new one when the last has grown large."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_tools.convert.lerobot import CHUNK_FILES


class Numbered:
    """chunk-000/file-000, chunk-000/file-001 …"""

    def __init__(self) -> None:
        self.chunk = self.file = 0

    def advance(self) -> None:
        last = self.file == CHUNK_FILES - 1
        self.chunk, self.file = (self.chunk + 1, 0) if last else (self.chunk, self.file + 1)


class Parquets(Numbered):
    """Appends tables, each a row group; `template` names the files below `root`."""

    def __init__(self, root: Path, template: str, *, megabytes: int) -> None:
        super().__init__()
        self._root, self._template, self._most = root, template, megabytes << 20
        self._writer: pq.ParquetWriter | None = None

    @property
    def path(self) -> Path:
        return self._root / self._template.format(chunk_index=self.chunk, file_index=self.file)

    def make_room(self) -> None:
        """Begin a new file if this one is large; what is written next goes where chunk and file then say."""
        if self._writer is not None and self.path.stat().st_size >= self._most:
            self.close()
            self.advance()

    def write(self, table: pa.Table) -> None:
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self.path, table.schema, compression="snappy", use_dictionary=True)
        self._writer.write_table(table.select(self._writer.schema.names), row_group_size=max(1, len(table)))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
