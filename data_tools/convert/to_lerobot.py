"""Takes into a LeRobotDataset v3.0: data and episodes in parquet, pictures in mp4 or embedded, statistics, tasks.

An episode that came from such a data set goes back as it was there. What the layout has no place for lies in meta/mmil,
which lerobot's loaders pass over: an index and shards of ours that hold everything but the pictures lerobot has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_tools.convert import lerobot
from data_tools.convert.actions import Scale
from data_tools.convert.films import FilmWriter
from data_tools.convert.lerobot_columns import Columns, Plan, plan_of
from data_tools.convert.lerobot_stats import Stats, Totals, number_stats, picture_stats
from data_tools.convert.notes import Fidelity, Notes
from data_tools.convert.parquets import Numbered, Parquets
from data_tools.convert.pixels import decode_picture, encode_png
from data_tools.convert.takes import Header, Sink, Take, Writing
from data_tools.convert.to_shards import ShardSink
from mmil.contracts import UserError
from mmil.data.jpeg import encode_frame
from mmil.data.shards import write_atomic

BUFFERED = 100  # rows of meta/episodes


class LeRobotSink(Sink):
    """Writes the folder `root`."""

    def __init__(
        self, root: Path, header: Header, config: Mapping[str, Any], *, writing: Writing, notes: Notes
    ) -> None:
        if not float(header.spec.control_hz).is_integer():
            raise UserError(f"LeRobot's fps is a whole number, and the control rate is {header.spec.control_hz} Hz")
        self._root, self._header, self._writing, self._notes = root, header, writing, notes
        self._fps = int(header.spec.control_hz)
        self._side = ShardSink(root / lerobot.SIDE, header, config, per_shard=writing.per_shard, notes=notes)
        self._data = Parquets(root, lerobot.DATA_PATH, megabytes=lerobot.DATA_MB)
        self._meta = Parquets(root, lerobot.EPISODES_PATH, megabytes=lerobot.DATA_MB)
        self._buffer: list[dict[str, Any]] = []
        self._films: dict[str, tuple[Numbered, FilmWriter | None]] = {}
        self._tasks: dict[str, int] = {}
        self._totals = Totals()
        self._plan: Plan | None = None
        self._episodes = self._frames = 0

    def add(self, take: Take) -> None:
        if self._plan is None:
            self._plan = plan_of(take, self._header.spec, pictures=self._writing.pictures, notes=self._notes)
        columns = Columns(take, self._plan, Scale.told_by(self._header.spec))
        rows = columns.arrays(self._notes)
        tasks = columns.sentences
        number = [self._tasks.setdefault(text, len(self._tasks)) for text in tasks]
        rows |= self._defaults(columns.rows, number)
        stats = {name: number_stats(array) for name, array in rows.items() if self._plan.is_numbers(name)}
        pictures = {name: columns.pictures(mine) for mine, name in self._plan.names["cameras"].items()}
        stats |= {name: picture_stats(frames) for name, frames in pictures.items()}
        row = {"episode_index": self._episodes, "tasks": list(dict.fromkeys(tasks)), "length": columns.rows}
        row |= self._put_data(take, rows, pictures)
        row |= {name: value for key, frames in pictures.items() for name, value in self._put_film(key, frames).items()}
        self._put_side(take, whole=columns.rows > len(take.episode.actions))
        self._put_row(row, stats)
        self._episodes, self._frames = self._episodes + 1, self._frames + columns.rows

    def finish(self) -> None:
        self._flush()
        for key in self._films:
            self._close_film(key)
        self.close()
        assert self._plan is not None, "a sink without an episode is not finished"
        self._write_tasks()
        self._write_json(lerobot.INFO, self._info(self._plan))
        self._write_json(lerobot.STATS, self._totals.to_json())
        self._side.finish(lerobot=self._plan.to_json())

    def close(self) -> None:
        self._data.close()
        self._meta.close()
        for _, film in self._films.values():
            if film is not None:
                film.close()

    # -- an episode ----------------------------------------------------------------------------------------------------

    def _defaults(self, rows: int, tasks: list[int]) -> dict[str, np.ndarray]:
        return {
            "timestamp": (np.arange(rows) / self._fps).astype(np.float32),
            "frame_index": np.arange(rows),
            "episode_index": np.full(rows, self._episodes),
            "index": np.arange(self._frames, self._frames + rows),
            "task_index": np.array(tasks),
        }

    def _put_data(self, take: Take, rows: Mapping[str, Any], pictures: Mapping[str, np.ndarray]) -> dict[str, Any]:
        assert self._plan is not None
        embedded = {} if self._plan.film else {name: self._encoded(take, name, pictures[name]) for name in pictures}
        values = {**rows, **embedded}
        features = {name: one for name, one in self._plan.features.items() if one["dtype"] != "video"}
        arrays = [lerobot.column(values[name], one) for name, one in features.items()]
        fields = [pa.field(name, array.type) for name, array in zip(features, arrays, strict=True)]
        self._data.make_room()
        self._data.write(pa.Table.from_arrays(arrays, schema=pa.schema(fields, lerobot.hub_metadata(features))))
        count = len(rows["index"])
        return {
            "data/chunk_index": self._data.chunk,
            "data/file_index": self._data.file,
            "dataset_from_index": self._frames,
            "dataset_to_index": self._frames + count,
        }

    def _encoded(self, take: Take, name: str, frames: np.ndarray) -> list[dict[str, Any]]:
        assert self._plan is not None
        camera = self._plan.camera(name)
        jpegs = take.jpegs.get(camera, []) if self._plan.pictures == "jpeg" else []
        if self._plan.pictures == "png":
            kind, data = "png", [encode_png(frame) for frame in frames]
        else:
            kind, data = "jpg", list(jpegs[: len(frames)]) or [encode_frame(frame) for frame in frames]
        how = "PNG" if kind == "png" else "the shard's own JPEG" if jpegs else "JPEG, quality 95"
        self._compare(camera, frames, data, how=how)
        return [{"bytes": one, "path": f"frame-{i:06d}.{kind}"} for i, one in enumerate(data)]

    def _compare(self, camera: str, frames: np.ndarray, data: list[bytes], *, how: str) -> None:
        loss = self._notes.pictures.setdefault(camera, Fidelity(how))
        for instant in {0, len(data) - 1}:
            loss.add(frames[instant], decode_picture(data[instant], frames.shape[1:]))

    def _put_film(self, key: str, frames: np.ndarray) -> dict[str, Any]:
        assert self._plan is not None
        if not self._plan.film:
            return {}
        place, film = self._films.get(key, (Numbered(), None))
        if film is not None and film.size >= lerobot.VIDEO_MB << 20:
            self._close_film(key)
            place.advance()
            film = None
        if film is None:
            path = lerobot.VIDEO_PATH.format(video_key=key, chunk_index=place.chunk, file_index=place.file)
            film = FilmWriter(self._root / path, frames.shape[1:], fps=self._fps, writing=self._writing)
            self._plan.describe_film(key, film.pix_fmt, self._fps)
        self._films[key] = place, film
        start = film.frames
        film.add(frames)
        at = f"videos/{key}/"
        return {
            f"{at}chunk_index": place.chunk,
            f"{at}file_index": place.file,
            f"{at}from_timestamp": start / self._fps,
            f"{at}to_timestamp": film.frames / self._fps,
        }

    def _close_film(self, key: str) -> None:
        place, film = self._films[key]
        if film is not None:
            assert self._plan is not None
            how = f"H.264, crf {self._writing.crf}, {film.pix_fmt}"
            film.finish(self._notes.pictures.setdefault(self._plan.camera(key), Fidelity(how)))
        self._films[key] = place, None

    def _put_side(self, take: Take, *, whole: bool) -> None:
        """Ours without the pictures that lerobot has: of each camera the last one, where lerobot's rows end before."""
        images = take.episode.images
        last = {camera: take.jpegs.get(camera, ())[-1:] or [encode_frame(images[camera][-1])] for camera in images}
        self._side.put(take, {camera: [] for camera in images} if whole else last)

    def _put_row(self, row: dict[str, Any], stats: Mapping[str, Stats]) -> None:
        if not self._buffer:
            self._meta.make_room()
        self._totals.add(stats)
        flat = {f"stats/{name}/{key}": value.tolist() for name, one in stats.items() for key, value in one.items()}
        place = {"meta/episodes/chunk_index": self._meta.chunk, "meta/episodes/file_index": self._meta.file}
        self._buffer.append({**row, **flat, **place})
        if len(self._buffer) == BUFFERED:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            self._meta.write(pa.Table.from_pylist(self._buffer))
            self._buffer = []

    # -- what they share -----------------------------------------------------------------------------------------------

    def _info(self, plan: Plan) -> dict[str, Any]:
        return {
            "codebase_version": lerobot.VERSION,
            "robot_type": plan.robot_type,
            "total_episodes": self._episodes,
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "chunks_size": lerobot.CHUNK_FILES,
            "data_files_size_in_mb": lerobot.DATA_MB,
            "video_files_size_in_mb": lerobot.VIDEO_MB,
            "fps": self._fps,
            "splits": {"train": f"0:{self._episodes}"},
            "data_path": lerobot.DATA_PATH,
            "video_path": lerobot.VIDEO_PATH if plan.film else None,
            "features": plan.features,
        }

    def _write_tasks(self) -> None:
        """A data frame with the sentences as its index, as pandas writes one."""
        table = pa.table({"task_index": pa.array(self._tasks.values(), pa.int64()), "task": list(self._tasks)})
        plain = {"metadata": None, "numpy_type": "int64", "pandas_type": "int64"}
        text = {"metadata": None, "numpy_type": "object", "pandas_type": "unicode"}
        about = {
            "index_columns": ["task"],
            "column_indexes": [{"name": None, "field_name": None, **text}],
            "columns": [
                {"name": "task_index", "field_name": "task_index", **plain},
                {"name": "task", "field_name": "task", **text},
            ],
            "creator": {"library": "pyarrow", "version": pa.__version__},
            "pandas_version": None,
        }
        pq.write_table(table.replace_schema_metadata({"pandas": json.dumps(about)}), self._root / lerobot.TASKS)

    def _write_json(self, name: str, value: Any) -> None:
        write_atomic(self._root / name, json.dumps(value, indent=4, ensure_ascii=False).encode() + b"\n")
