"""A finished data set on disk: its manifest, its index, and any episode of it.

A folder is trusted no further than its manifest: shards must carry the names we give, lie in the folder itself, and
have the size they should. Nothing is unpickled, no command is run, no address is followed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmil.contracts import Episode, Spec, UserError
from mmil.data.sample import decode_sample, split_members
from mmil.data.schema import LINEAGE, SENTENCES, SPEC, misfit
from mmil.data.shards import SHARD_NAME, Row, damage, file_sha256

FORMAT = "mmil-1"
MANIFEST, INDEX, GENERATION = "manifest.json", "index.jsonl", "generation.json"
_ADDRESS = re.compile(r"pipe:|[A-Za-z][A-Za-z0-9+.-]+:/")
_FIELDS = {
    "format": str,
    "spec": dict,
    "config": dict,
    "shards": list,
    "episodes": int,
    "steps": int,
    "failed_attempts": int,
    "sentences": list,
    "index_sha256": str,
}


@dataclass(frozen=True)
class Dataset:
    """What `mmil generate` wrote; `Dataset.open` is the way to get one."""

    path: Path
    manifest: dict[str, Any]
    spec: Spec
    rows: tuple[Row, ...]  # in the order of their index

    @classmethod
    def open(cls, path: Path | str) -> Dataset:
        """Read and check manifest and index; a line that says what is wrong if anything is."""
        folder = _folder(path)
        manifest = _manifest(folder)
        spec = Spec.from_json(manifest["spec"])
        dataset = cls(folder, manifest, spec, _rows(folder, manifest))
        dataset._check_index()
        return dataset

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shard_paths(self) -> list[Path]:
        return [self.path / shard["name"] for shard in self.manifest["shards"]]

    def sample(self, index: int) -> dict[str, bytes]:
        """The members of one episode, still encoded: json, npz, <camera>.<frame>.jpg."""
        row = self.rows[index]
        with (self.path / row.shard).open("rb") as file:
            file.seek(row.offset)
            data = file.read(row.size)
        if len(data) != row.size:
            raise UserError(f"{row.shard} is truncated: it ends inside episode {index} ({row.key})")
        try:
            key, members = split_members(data)
        except UserError as error:
            raise UserError(f"{row.shard} is altered at episode {index} ({row.key}): {error}") from None
        if key != row.key:
            raise UserError(f"{row.shard} is altered: {key} lies where the index has {row.key}")
        return members

    def episode(self, index: int) -> Episode:
        """Decode one episode; only its own bytes are read."""
        return self.decode(index, self.sample(index))

    def decode(self, index: int, members: Mapping[str, bytes]) -> Episode:
        """The episode that has these members; whatever is wrong with them is a line that names it."""
        row = self.rows[index]
        try:
            return decode_sample(members)
        except Exception as error:  # whatever a decoder makes of altered bytes
            raise UserError(f"{row.shard} is altered at episode {index} ({row.key}): {error}") from error

    def verify_checksums(self) -> None:
        """Raise with the first shard that is not what the manifest says."""
        for shard, path in zip(self.manifest["shards"], self.shard_paths, strict=True):
            line = damage(path, size=shard["bytes"], sha256=shard["sha256"])
            if line:
                raise UserError(f"{self.path}: {line}")

    def _check_index(self) -> None:
        known = {shard["name"]: shard for shard in self.manifest["shards"]}
        for number, row in enumerate(self.rows):
            if row.shard not in known:
                raise UserError(f"{self.path / INDEX}: episode {number} points to {row.shard!r}, not a shard of it")
            if row.index != number or row.offset + row.size > known[row.shard]["bytes"]:
                raise UserError(f"{self.path / INDEX}: row {number} (index {row.index}) does not fit {row.shard}")
        if dict(Counter(row.shard for row in self.rows)) != {name: shard["episodes"] for name, shard in known.items()}:
            raise UserError(f"{self.path}: index and manifest disagree about how many episodes each shard holds")


def _folder(path: Path | str) -> Path:
    if _ADDRESS.match(str(path)):
        raise UserError(f"{path} is an address; a data set is read from a local folder")
    if not Path(path).is_dir():
        raise UserError(f"no data set at {path}: there is no such folder")
    return Path(path)


def _manifest(folder: Path) -> dict[str, Any]:
    if not (folder / MANIFEST).is_file():
        if (folder / GENERATION).is_file():
            raise UserError(f"{folder} is unfinished: run `mmil generate` again with the same options to resume")
        raise UserError(f"{folder} is not a data set: it has no {MANIFEST}")
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except ValueError as error:
        raise UserError(f"{folder / MANIFEST} is not JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise UserError(f"{folder / MANIFEST} has format {found!r}; this version reads {FORMAT!r}")
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(manifest.get(name), kind)]
    if wrong:
        raise UserError(f"{folder / MANIFEST} lacks a proper {', '.join(wrong)}")
    for name, schema in {"spec": SPEC, "sentences": SENTENCES, "lineage": LINEAGE}.items():
        if reason := misfit(manifest.get(name), schema, name):
            what = "not a Spec" if name == "spec" else f"no {name} that can be read"
            raise UserError(f"{folder / MANIFEST} holds {what}: {reason}")
    _check_shards(folder, manifest["shards"])
    return manifest


def _check_shards(folder: Path, shards: list[Any]) -> None:
    for shard in shards:
        kinds = {"name": str, "episodes": int, "bytes": int, "sha256": str}
        if not isinstance(shard, dict) or not all(isinstance(shard.get(key), kind) for key, kind in kinds.items()):
            raise UserError(f"{folder / MANIFEST}: a shard needs {', '.join(kinds)}, got {shard!r:.100}")
        name = shard["name"]
        if not SHARD_NAME.fullmatch(name) or (folder / name).resolve().parent != folder.resolve():
            raise UserError(f"{folder / MANIFEST}: {name!r} is not a shard of this folder")
        if not (folder / name).is_file():
            raise UserError(f"{folder}: shard {name} is missing")
        if (size := (folder / name).stat().st_size) != shard["bytes"]:
            raise UserError(f"{folder}: shard {name} has {size} bytes, the manifest says {shard['bytes']}: truncated")


def _rows(folder: Path, manifest: dict[str, Any]) -> tuple[Row, ...]:
    index = folder / INDEX
    if not index.is_file() or file_sha256(index) != manifest["index_sha256"]:
        raise UserError(f"{index} is missing or not what the manifest says (sha256)")
    try:
        with index.open("rb") as file:
            return tuple(Row.from_json(json.loads(line)) for line in file)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{index} is not an index of episodes: {error}") from None
