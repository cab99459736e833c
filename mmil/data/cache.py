"""Features cached once on disk: a data set beside the first, with feature maps in place of its frames."""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmil.contracts import UserError, map_name
from mmil.data.dataset import INDEX, MANIFEST, Dataset
from mmil.data.layout import Layout
from mmil.data.locked import LOCK, locked
from mmil.data.maps import decode_map, map_file
from mmil.data.members import Sample, read_samples
from mmil.data.sample import BLOCK, decode_arrays, encode_json, frame_name
from mmil.data.shards import END_OF_ARCHIVE, Row, encode_rows, file_sha256, scan, shard_entry, write_atomic
from mmil.data.views import Views
from mmil.data.windows import decode_image
from mmil.progress import progress

PLAN = "features.json"  # first in the folder: of which data, by which encoder
LAYOUT = 2  # of Layout; another one is another cache
Encode = Callable[[str, np.ndarray], list[np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What of an episode becomes features: every n-th frame, in so many views, with these depth maps."""

    every: int = 1
    views: Views = field(default_factory=Views)
    maps: tuple[str, ...] = ()

    @property
    def about(self) -> dict[str, Any]:
        return {**self.views.about, **({"maps": list(self.maps)} if self.maps else {})}


def write_features(
    dataset_path: Path | str,
    out: Path | str,
    encode: Encode,
    *,
    fingerprint: Mapping[str, Any],
    every: int = 1,
    views: Views | None = None,
    maps: Sequence[str] = (),
) -> Dataset:
    """Encode every n-th frame of a data set, shard by shard; a finished cache is opened, an interrupted one resumed.

    encode(camera, uint8 (N, h, w, 3)) gives the N feature maps of each stage, float16 (N, C, h', w'), an episode at a
    time; so does encode("<camera>.depth", uint16 (N, h, w)) for those of `maps`. `fingerprint` is JSON that changes
    whenever the features would: the encoder, its weights, its input; views and maps are added to it.
    """
    source, out, kept = (
        Dataset.open(dataset_path),
        Path(out),
        Kept(every=every, views=views or Views(), maps=tuple(maps)),
    )
    fingerprint = {**fingerprint, **kept.about}
    if not (out / MANIFEST).is_file():
        plan = _plan(source, fingerprint, every)
        with _sole_writer(out, plan):
            _write_shards(source, out, encode, kept)
            _finish(source, out, {**plan, "views": kept.views.count})
    cache = open_features(out, source=source, fingerprint=fingerprint)
    _require_same(_made(cache), _plan(source, fingerprint, every), out)
    return cache


def open_features(path: Path | str, *, source: Dataset, fingerprint: Mapping[str, Any] | None = None) -> Dataset:
    """A finished cache of `source`; refused if made of other data or by another encoder than `fingerprint`."""
    cache = Dataset.open(path)
    if "features" not in cache.manifest:
        raise UserError(f"{path} holds images, not cached features")
    made = _made(cache)
    asked = _plan(source, made["encoder"] if fingerprint is None else fingerprint, made["every"])
    _require_same(made, asked, path)
    return cache


def _plan(source: Dataset, fingerprint: Mapping[str, Any], every: int | None) -> dict[str, Any]:
    encoder, sha256 = json.loads(json.dumps(fingerprint)), file_sha256(source.path / MANIFEST)
    return {"source_sha256": sha256, "encoder": encoder, "layout": LAYOUT, "every": every}


def _made(cache: Dataset) -> dict[str, Any]:
    features = cache.manifest["features"]
    return {name: features.get(name) for name in ("source_sha256", "encoder", "layout", "every")}


def _require_same(made: Mapping[str, Any], asked: Mapping[str, Any], path: Path | str) -> None:
    texts = [json.dumps(plan, sort_keys=True) for plan in (made, asked)]
    if texts[0] != texts[1]:
        raise UserError(f"{path} caches other features: it was made from {texts[0]}, asked for is {texts[1]}")


@contextlib.contextmanager
def _sole_writer(out: Path, plan: Mapping[str, Any]) -> Iterator[None]:
    """Claim the folder for these features, and keep everybody else from writing into it meanwhile."""
    found = sorted(item.name for item in out.iterdir()) if out.is_dir() else []
    if found and PLAN not in found and found != [LOCK]:
        raise UserError(f"{out} holds something else: {', '.join(found[:3])}; features go to a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        if (out / PLAN).is_file():
            _require_same(json.loads((out / PLAN).read_bytes()), plan, out)
        else:
            write_atomic(out / PLAN, encode_json(plan))
        for stale in out.glob(".*.tmp"):
            stale.unlink()
        yield


def _write_shards(source: Dataset, out: Path, encode: Encode, kept: Kept) -> None:
    missing = [shard["name"] for shard in source.manifest["shards"] if not (out / shard["name"]).is_file()]
    rows = [row for row in source.rows if row.shard in missing]
    with contextlib.closing(progress(rows, "caching features", total=len(rows), unit="episodes")) as bar:
        for name in missing:
            of_shard = [row for row in rows if row.shard == name]
            write_atomic(out / name, _shard(source, (next(bar) for _ in of_shard), encode, kept=kept))
        next(bar, None)


def _shard(source: Dataset, rows: Iterable[Row], encode: Encode, *, kept: Kept) -> Iterator[bytes]:
    shapes: dict[str, Any] = {}
    for row, sample in read_samples(source.path, rows):
        arrays = decode_arrays(sample["npz"])
        features = _features(source, row, sample, arrays, encode=encode, kept=kept)
        found = {camera: tuple(stage.shape[1:] for stage in stages) for camera, stages in features.items()}
        if (shapes := shapes or found) != found:
            raise UserError(f"the encoder gave features of {found} for {row.key}, of {shapes} before")
        yield _member(f"{row.key}.json", sample["json"])
        yield _member(f"{row.key}.npz", sample["npz"])
        for suffix, data in Layout(source.spec, shapes, kept.every, kept.views.count).pack(arrays, features):
            yield _member(f"{row.key}.{suffix}", data)
    yield END_OF_ARCHIVE


def _features(
    source: Dataset, row: Row, sample: Sample, arrays: Mapping[str, np.ndarray], *, encode: Encode, kept: Kept
) -> dict[str, list[np.ndarray]]:
    """The stages of every camera of an episode in every view, and of its depth."""
    features, deep, wanted = {}, {}, range(0, row.steps + 1, kept.every)
    for camera, size in source.spec.cameras.items():
        frames = np.stack([decode_image(sample[frame_name(camera, i)], size) for i in wanted])
        told: dict[str, np.ndarray] = {}
        if (pose := f"signals/camera_{camera}") in arrays:
            told["pose"] = arrays[pose][:: kept.every]
        if (name := map_name(camera, "depth")) in kept.maps:
            told["depth"] = np.stack([decode_map(sample[map_file(name, i)], name, size[:2]) for i in wanted])
        frames, deep[name] = kept.views.of(frames, key=row.key, camera=camera, **told)
        features[camera] = _checked(camera, encode(camera, frames), frames=len(frames))
    for name in kept.maps:
        features[name] = _checked(name, encode(name, deep[name]), frames=len(deep[name]))
    return features


def _checked(camera: str, stages: list[np.ndarray], *, frames: int) -> list[np.ndarray]:
    for number, stage in enumerate(stages):
        if stage.dtype != np.float16 or stage.ndim != 4 or len(stage) != frames:
            raise UserError(f"{camera}, stage {number}: {stage.dtype} {stage.shape} is not float16 ({frames}, C, h, w)")
        if not np.isfinite(stage).all():
            raise UserError(f"{camera}, stage {number}: features beyond what float16 holds (±65504), or NaN")
    return stages


def _finish(source: Dataset, out: Path, plan: Mapping[str, Any]) -> None:
    rows: list[Row] = []
    for path in source.shard_paths:
        rows += scan(out / path.name, first=len(rows))
    if [row.key for row in rows] != [row.key for row in source.rows]:
        raise UserError(f"{out} holds other episodes than {source.path}; delete it to cache its features again")
    write_atomic(out / INDEX, encode_rows(rows))
    manifest = {
        **source.manifest,
        "shards": [shard_entry(out / path.name, rows) for path in source.shard_paths],
        "index_sha256": file_sha256(out / INDEX),
        "features": {**plan, "cameras": _shapes(out, rows[0])},
    }
    write_atomic(out / MANIFEST, encode_json(manifest))


def _shapes(out: Path, row: Row) -> dict[str, Any]:
    """The shapes as they stand in the first sample: also known where nothing was left to encode."""
    import io

    ((_, sample),) = read_samples(out, [row], want=lambda suffix: suffix == "maps.npy")
    record = np.load(io.BytesIO(sample["maps.npy"]), allow_pickle=False).dtype
    shapes: dict[str, list[Any]] = {}
    for name in record.names or ():
        shapes.setdefault(name.rpartition(".")[0], []).append(record[name].shape)
    return {camera: {"shapes": [list(shape) for shape in stages]} for camera, stages in shapes.items()}


def _member(name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)  # time, user and group 0, mode 0644
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + b"\0" * (-len(data) % BLOCK)
