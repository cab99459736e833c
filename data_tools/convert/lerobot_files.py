"""The files of a LeRobotDataset v3.0, read episode by episode and in order, as its own loader finds them.

meta/episodes says in which parquet file the rows of an episode lie and in which mp4, from which second on, its frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_tools.convert.films import FilmReader
from data_tools.convert.lerobot import EPISODES, TASKS, Feature, Info, inside
from data_tools.convert.pixels import decode_picture
from data_tools.convert.takes import LARGEST, LONGEST, Unfit
from mmil.contracts import UserError

NEEDED = ("episode_index", "length", "data/chunk_index", "data/file_index", "dataset_from_index", "dataset_to_index")
BATCH, PICTURE_BATCH = 4096, 32  # rows read at a time
MOST_TEXT = 1 << 20  # characters of a sentence


@dataclass(frozen=True)
class Entry:
    """A row of meta/episodes; `reason` where it contradicts itself."""

    episode: int
    length: int
    row: Mapping[str, Any]
    reason: str | None = None


class Files:
    """Parquet and mp4 files of one data set; those of the episode at hand are open."""

    def __init__(self, root: Path) -> None:
        self.info = Info.open(root)
        self.root = root
        self.tasks = _tasks(inside(root, TASKS))
        self.entries = _entries(self.info)
        self._shelves: dict[tuple[Path, tuple[str, ...]], _Shelf] = {}
        self._films: dict[str, FilmReader] = {}

    def columns(self, entry: Entry, names: Sequence[str]) -> pa.Table:
        """These columns of an episode, its N rows."""
        if entry.reason:
            raise Unfit(entry.reason)
        path = _path(lambda: self.info.data_file(entry.row["data/chunk_index"], entry.row["data/file_index"]))
        key = (path, tuple(names))
        if key not in self._shelves:
            for other in [other for other in self._shelves if other[1] == key[1]]:
                self._shelves.pop(other).close()
            self._shelves[key] = _Shelf(path, names, self.info.features)
        return self._shelves[key].rows(entry)

    def frames(self, entry: Entry, feature: Feature, table: pa.Table) -> np.ndarray:
        """uint8 (N, h, w, 3) of a camera; `table` has its column where it is no video."""
        shape = feature.picture_shape
        assert shape is not None, "only pictures that we can hold are asked for"
        if entry.length * prod(shape) > LARGEST:
            raise Unfit(f"{feature.name}: {entry.length} frames of {shape} are more than {LARGEST >> 30} GiB")
        if feature.dtype == "image":
            return np.stack([decode_picture(data, shape) for data in encoded(table, feature.name)])
        at = f"videos/{feature.name}/"
        missing = [name for name in ("chunk_index", "file_index", "from_timestamp") if at + name not in entry.row]
        if missing:
            raise Unfit(f"{EPISODES} does not say {at}{missing[0]}")
        row = entry.row
        path = _path(lambda: self.info.video_file(feature.name, row[f"{at}chunk_index"], row[f"{at}file_index"]))
        film = self._films.get(feature.name)
        if film is None or film.path != path:
            if film is not None:
                film.close()
            film = self._films[feature.name] = FilmReader(path, shape)
        return film.read(float(row[f"{at}from_timestamp"]), entry.length, fps=self.info.fps)

    def close(self) -> None:
        for shelf in self._shelves.values():
            shelf.close()
        for film in self._films.values():
            film.close()
        self._shelves, self._films = {}, {}


class _Shelf:
    """A parquet file whose episodes are taken one after another."""

    def __init__(self, path: Path, names: Sequence[str], features: Mapping[str, Feature]) -> None:
        self._path, self._names = path, list(names)
        pictures = any(features[name].is_picture for name in names if name in features)
        self._rows_at_once = PICTURE_BATCH if pictures else BATCH
        self._file: pq.ParquetFile | None = None
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._left: pa.RecordBatch | None = None

    def rows(self, entry: Entry) -> pa.Table:
        with readable(self._path):
            fresh = self._file is None
            if fresh:
                self._begin()
            found = self._next(entry)
            if not found and not fresh:
                self._begin()
                found = self._next(entry)
            if not found:
                raise Unfit(f"{self._path.name} has no rows of episode {entry.episode}")
            return pa.Table.from_batches(found)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        self.close()
        self._file = file = pq.ParquetFile(self._path)
        missing = [name for name in self._names if name not in file.schema_arrow.names]
        if missing:
            raise Unfit(f"{self._path.name} has no column {missing[0]}; it has {', '.join(file.schema_arrow.names)}")
        for group in range(file.metadata.num_row_groups):
            if file.metadata.row_group(group).total_byte_size > LARGEST:
                raise Unfit(f"{self._path.name} says a row group has more than {LARGEST >> 30} GiB")
        self._batches = file.iter_batches(self._rows_at_once, columns=self._names)
        self._left = next(self._batches, None)

    def _next(self, entry: Entry) -> list[pa.RecordBatch]:
        found: list[pa.RecordBatch] = []
        rows = 0
        while self._left is not None:
            numbers = self._left.column("episode_index").to_numpy(zero_copy_only=False)
            mine = np.flatnonzero(numbers == entry.episode)
            if len(mine):
                first, last = int(mine[0]), int(mine[-1])
                found.append(self._left.slice(first, last + 1 - first))
                rows += last + 1 - first
                if rows > entry.length:
                    raise Unfit(f"{self._path.name} has more than the {entry.length} rows that {EPISODES} says")
                if last + 1 < len(numbers):
                    self._left = self._left.slice(last + 1)
                    break
            elif found:
                break
            self._left = next(self._batches, None)
        return found


def encoded(table: pa.Table, name: str) -> list[bytes]:
    """The pictures of an image column, as bytes."""
    images = table.column(name).combine_chunks()
    if not pa.types.is_struct(images.type) or images.type.get_field_index("bytes") < 0:
        raise Unfit(f"{name} is {images.type}, not embedded pictures")
    found = images.field("bytes").to_pylist() if isinstance(images, pa.StructArray) else []
    if any(data is None for data in found):
        raise Unfit(f"{name} only names files; mmil reads pictures that are embedded")
    return found


def numbers(table: pa.Table, feature: Feature) -> np.ndarray:
    """(N, …) of a column of numbers, in the shape that the feature says."""
    with readable(feature.name):
        values = table.column(feature.name).combine_chunks()
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        rows = len(values)
        while isinstance(values, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray | pa.ExtensionArray):
            if values.null_count:
                raise Unfit(f"{feature.name} has rows without a value")
            values = values.storage if isinstance(values, pa.ExtensionArray) else values.flatten()
        if values.null_count:
            raise Unfit(f"{feature.name} has rows without a value")
        shape = (rows, *(() if feature.shape == (1,) else feature.shape))
        array = values.to_numpy(zero_copy_only=False)
        if array.dtype.kind not in "biuf" or array.size != prod(shape):
            raise Unfit(f"{feature.name} holds {array.size} values of {array.dtype} for {rows} rows of {feature.shape}")
        return np.ascontiguousarray(array).reshape(shape)


@contextmanager
def readable(path: Path | str) -> Iterator[None]:
    """Whatever pyarrow makes of damaged bytes becomes a reason."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        name = path.name if isinstance(path, Path) else path
        raise Unfit(f"{name} cannot be read, it is damaged or cut short: {str(error).splitlines()[0]}") from None


def _path(find: Any) -> Path:
    """A path of one episode: one that leads out costs that episode."""
    try:
        return find()
    except UserError as error:
        raise Unfit(str(error)) from None


def _tasks(path: Path) -> dict[int, str]:
    """task_index → sentence; the sentence is the table's index, under whichever name pandas gave it."""
    try:
        with readable(path):
            table = pq.read_table(path)
            known = ("task", "__index_level_0__", *table.column_names)
            texts = next(name for name in known if name in table.column_names and _is_text(table, name))
            pairs = zip(table.column("task_index").to_pylist(), table.column(texts).to_pylist(), strict=True)
            return {int(number): str(text)[:MOST_TEXT] for number, text in pairs}
    except (Unfit, StopIteration) as reason:
        raise UserError(f"{path}: {reason or 'it has no column of sentences'}") from None


def _is_text(table: pa.Table, name: str) -> bool:
    kind = table.schema.field(name).type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _entries(info: Info) -> list[Entry]:
    folder = inside(info.root, EPISODES)
    paths = sorted(folder.glob("*/*.parquet"))
    if not paths:
        raise UserError(f"{folder} holds no parquet file, so nobody knows where the episodes are")
    rows: list[dict[str, Any]] = []
    try:
        for path in paths:
            inside(info.root, str(path.relative_to(info.root)))
            with readable(path):
                file = pq.ParquetFile(path)
                wanted = [name for name in file.schema_arrow.names if not name.startswith("stats/")]
                missing = [name for name in NEEDED if name not in wanted]
                if missing:
                    raise Unfit(f"{path.name} has no column {missing[0]}; it has {', '.join(wanted)}")
                rows += file.read(columns=wanted).to_pylist()
    except Unfit as reason:
        raise UserError(f"{folder}: {reason}") from None
    if len(rows) != info.episodes:
        raise UserError(f"{folder} lists {len(rows)} episodes, meta/info.json says {info.episodes}: some are missing")
    return [_entry(row) for row in sorted(rows, key=lambda row: row["episode_index"])]


def _entry(row: Mapping[str, Any]) -> Entry:
    wrong = [name for name in NEEDED if type(row[name]) is not int or row[name] < 0]
    if wrong:
        return Entry(-1, 0, row, f"{EPISODES} says {wrong[0]} is {row[wrong[0]]!r}")
    episode, length = row["episode_index"], row["length"]
    span = row["dataset_to_index"] - row["dataset_from_index"]
    reason = None
    if span != length:
        reason = f"{EPISODES} says it has {length} frames and spans {span}"
    elif length > LONGEST:
        reason = f"{EPISODES} says it has {length} frames; more than {LONGEST} are nobody's demonstration"
    return Entry(episode, length, row, reason)
