"""The layout of LeRobotDataset v3.0: its paths, its features, and their types in parquet.

After lerobot's docs/source/lerobot-dataset-v3.mdx, datasets/utils.py and datasets/feature_utils.py.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mmil.contracts import UserError

VERSION = "v3.0"
INFO, STATS, TASKS, EPISODES = "meta/info.json", "meta/stats.json", "meta/tasks.parquet", "meta/episodes"
SIDE = "meta/mmil"  # where what we write has what the layout has no place for
CHUNK = "chunk-{chunk_index:03d}/file-{file_index:03d}"
DATA_PATH, VIDEO_PATH = f"data/{CHUNK}.parquet", f"videos/{{video_key}}/{CHUNK}.mp4"
EPISODES_PATH = f"{EPISODES}/{CHUNK}.parquet"
CHUNK_FILES, DATA_MB, VIDEO_MB = 1000, 100, 200
MOST = 1 << 20  # of a feature along one axis
DEFAULTS: dict[str, dict[str, Any]] = {
    "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    **{
        name: {"dtype": "int64", "shape": [1], "names": None}
        for name in ("frame_index", "episode_index", "index", "task_index")
    },
}
NUMBERS = frozenset(
    ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]
)
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # Hugging Face's Image
_FIELDS = {"chunk_index", "file_index", "video_key", "episode_chunk", "episode_index"}
_WIDTH = re.compile(r"(0?[1-9]d|d)?")


@dataclass(frozen=True)
class Feature:
    """A column, or a film beside the columns."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    raw: Mapping[str, Any]

    @property
    def is_picture(self) -> bool:
        return self.dtype in ("image", "video")

    @property
    def is_numbers(self) -> bool:
        return self.dtype in NUMBERS

    @property
    def picture_shape(self) -> tuple[int, int, int] | None:
        """(h, w, 3), whichever order the shape is told in; None where it is a depth map or has no three channels."""
        info = {**(self.raw.get("info") or {}), **(self.raw.get("video_info") or {})}
        if len(self.shape) != 3 or info.get("is_depth_map") or info.get("video.is_depth_map"):
            return None
        names = self.raw.get("names")
        first = isinstance(names, list) and names[:1] in (["channels"], ["channel"], ["c"])
        if first or (self.shape[0] == 3 and self.shape[2] != 3):
            channels, height, width = self.shape
        else:
            height, width, channels = self.shape
        return (height, width, 3) if channels == 3 else None

    @property
    def axes(self) -> list[str] | None:
        """A name a number, where the feature has them; one nesting, {"motors": […]}, is common."""
        names = self.raw.get("names")
        if isinstance(names, dict):
            names = next(iter(names.values()), None) if len(names) == 1 else None
        return [str(name) for name in names] if isinstance(names, list) else None


@dataclass(frozen=True)
class Info:
    """meta/info.json, checked."""

    root: Path
    fps: float
    features: Mapping[str, Feature]
    data_path: str
    video_path: str | None
    episodes: int
    raw: Mapping[str, Any]

    @classmethod
    def open(cls, root: Path) -> Info:
        path = inside(root, INFO)
        try:
            raw = json.loads(path.read_bytes())
            json.dumps(raw, ensure_ascii=False).encode()  # JSON can spell what is no text
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}") from None
        if not isinstance(raw, dict) or not isinstance(raw.get("features"), dict):
            raise UserError(f"{path} has no features, so it is not LeRobot's")
        _require_version(path, raw.get("codebase_version"))
        missing = [name for name in ("fps", "data_path", "total_episodes") if name not in raw]
        if missing:
            raise UserError(f"{path} has no {', '.join(missing)}; it has {', '.join(raw)}")
        fps, count = raw["fps"], raw["total_episodes"]
        if not isinstance(fps, int | float) or isinstance(fps, bool) or not 0 < fps < 10_000:
            raise UserError(f"{path} says {fps!r} frames a second")
        if not isinstance(count, int) or count < 0:
            raise UserError(f"{path} says it has {count!r} episodes")
        features = {name: _feature(path, name, one) for name, one in raw["features"].items()}
        return cls(root, float(fps), features, str(raw["data_path"]), raw.get("video_path"), count, raw)

    def data_file(self, chunk: int, file: int) -> Path:
        return inside(self.root, filled(self.data_path, chunk_index=chunk, file_index=file))

    def video_file(self, key: str, chunk: int, file: int) -> Path:
        if not isinstance(self.video_path, str):
            raise UserError(f"{self.root / INFO} has videos among its features and no video_path")
        return inside(self.root, filled(self.video_path, video_key=key, chunk_index=chunk, file_index=file))


def filled(template: str, **values: Any) -> str:
    """The template with its numbers; nothing but plain fields and small widths is accepted in it."""
    try:
        fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise UserError(f"the path template {template!r} in {INFO} is not one: {error}") from None
    if any(name not in _FIELDS or not _WIDTH.fullmatch(spec or "") for name, spec in fields):
        raise UserError(f"the path template {template!r} in {INFO} may hold {', '.join(sorted(_FIELDS))} and no more")
    try:
        return template.format(**values)
    except (KeyError, ValueError) as error:
        raise UserError(f"the path template {template!r} in {INFO} cannot be filled: {error}") from None


def inside(root: Path, relative: str) -> Path:
    """A path below `root`; one that leads out, by .. or by a link, is refused."""
    path = root / relative
    if not path.resolve().is_relative_to(root.resolve()):
        hint = "; copy the data set with its links followed (cp -rL)" if ".." not in relative else ""
        raise UserError(f"{relative} leads out of {root}: mmil reads nothing that it was not given{hint}")
    return path


def arrow_type(feature: Mapping[str, Any]) -> pa.DataType:
    """As get_hf_features_from_features() types the column."""
    if feature["dtype"] == "image":
        return IMAGE
    if feature["dtype"] == "string":
        return pa.string()
    kind = pa.from_numpy_dtype(np.dtype(feature["dtype"]))
    shape = tuple(feature["shape"])
    if shape == (1,):
        return kind
    if len(shape) == 1:
        return pa.list_(kind, shape[0])
    for _ in shape:
        kind = pa.list_(kind)
    return kind


def hub_metadata(features: Mapping[str, Mapping[str, Any]]) -> dict[bytes, bytes]:
    """What Hugging Face's datasets writes beside a parquet schema, so that it reads the columns back as features."""
    told = {name: _hub_feature(one) for name, one in features.items() if one["dtype"] != "video"}
    return {b"huggingface": json.dumps({"info": {"features": told}}).encode()}


def _hub_feature(feature: Mapping[str, Any]) -> dict[str, Any]:
    dtype, shape = feature["dtype"], list(feature["shape"])
    value = {"dtype": dtype, "_type": "Value"}
    if dtype == "image":
        return {"_type": "Image"}
    if shape == [1] or dtype == "string":
        return value
    if len(shape) == 1:
        return {"feature": value, "length": shape[0], "_type": "Sequence"}
    return {"shape": shape, "dtype": dtype, "_type": f"Array{len(shape)}D"}


def column(values: Sequence[Any] | np.ndarray, feature: Mapping[str, Any]) -> pa.Array:
    """The rows of a feature."""
    kind = arrow_type(feature)
    if feature["dtype"] in ("image", "string"):
        return pa.array(list(values), kind)
    array = np.ascontiguousarray(values, np.dtype(feature["dtype"]))
    flat = pa.array(array.reshape(-1))
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)
    for width in reversed(array.shape[1:] if tuple(feature["shape"]) != (1,) else ()):
        flat = pa.ListArray.from_arrays(pa.array(range(0, len(flat) + 1, width), pa.int32()), flat)
    return flat


def _require_version(path: Path, version: Any) -> None:
    if not isinstance(version, str) or not version.startswith("v3."):
        hint = ": lerobot's convert_dataset_v21_to_v30 makes it one" if str(version).startswith("v2") else ""
        raise UserError(f"{path} is of version {version!r}; mmil reads {VERSION}{hint}")


def _feature(path: Path, name: str, raw: Any) -> Feature:
    shape = raw.get("shape") if isinstance(raw, dict) else None
    fine = isinstance(shape, list) and all(type(size) is int and 0 < size <= MOST for size in shape)
    if not isinstance(shape, list) or not fine or not isinstance(raw.get("dtype"), str):
        raise UserError(f"{path}: the feature {name!r} has no proper dtype and shape: {raw!r:.120}")
    return Feature(name, raw["dtype"], tuple(shape), raw)
