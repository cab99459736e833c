"""A finished data set: its manifest, its index, and any episode of it.

It is trusted no further than its manifest: shards must carry the names we give, lie in the folder itself, and have the
size they should. Nothing is unpickled, no command is run, and no address is followed but that of an object store which
whoever opens the data set has typed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmil.contracts import Episode, Spec, UserError
from mmil.data.address import Place, store_at
from mmil.data.sample import decode_sample, split_members
from mmil.data.schema import LINEAGE, SENTENCES, SPEC, misfit
from mmil.data.shards import SHARD_NAME, Row, damage
from mmil.data.store import Folder, Store

FORMAT = "mmil-1"
MANIFEST, INDEX, GENERATION = "manifest.json", "index.jsonl", "generation.json"
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
    """What is finished at a place; `Dataset.open` is the way to get one."""

    store: Store
    manifest: dict[str, Any]
    spec: Spec
    rows: tuple[Row, ...]  # in the order of their index

    @classmethod
    def open(cls, place: Place) -> Dataset:
        """Read and check manifest and index; a line that says what is wrong if anything is."""
        store = store_at(place)
        manifest = _manifest(store)
        spec = Spec.from_json(manifest["spec"])
        dataset = cls(store, manifest, spec, _rows(store, manifest))
        dataset._check_index()
        return dataset

    @property
    def path(self) -> Path:
        """Its folder. What reads an episode again and again wants one: stores charge and wait for every time."""
        if isinstance(self.store, Folder):
            return self.store.path
        raise UserError(f"{self.store} is no folder of this machine: mmil fetch {self.store} DIR brings it here")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shard_paths(self) -> list[Path]:
        return [self.path / shard["name"] for shard in self.manifest["shards"]]

    def sample(self, index: int) -> dict[str, bytes]:
        """The members of one episode, still encoded: json, npz, <camera>.<frame>.jpg."""
        row = self.rows[index]
        with self.store.open(row.shard) as file:
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

    def rows_of(self, qualities: Collection[str]) -> tuple[Row, ...]:
        """Its episodes of these qualities of demonstration, each of which there must be."""
        there = Counter(row.quality for row in self.rows)
        if not qualities or not there.keys() >= set(qualities):
            asked = ", ".join(sorted(set(qualities) - there.keys())) or "(none given)"
            known = ", ".join(f"{quality} ({count})" for quality, count in sorted(there.items()))
            raise UserError(f"{self.store}: no episode of quality {asked}; there are {known}")
        return tuple(row for row in self.rows if row.quality in qualities)

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
                raise UserError(f"{self.store}/{INDEX}: episode {number} points to {row.shard!r}, not a shard of it")
            if row.index != number or row.offset + row.size > known[row.shard]["bytes"]:
                raise UserError(f"{self.store}/{INDEX}: row {number} (index {row.index}) does not fit {row.shard}")
        if dict(Counter(row.shard for row in self.rows)) != {name: shard["episodes"] for name, shard in known.items()}:
            raise UserError(f"{self.store}: index and manifest disagree about how many episodes each shard holds")


def _manifest(store: Store) -> dict[str, Any]:
    sizes = store.sizes()
    if MANIFEST not in sizes:
        if not sizes:
            raise UserError(f"{store} is not a data set: nothing lies there")
        if GENERATION in sizes:
            raise UserError(f"{store} is unfinished: the command that began it, with the same options, goes on with it")
        raise UserError(f"{store} is not a data set: it has no {MANIFEST}")
    try:
        manifest = json.loads(store.read(MANIFEST))
    except ValueError as error:
        raise UserError(f"{store}/{MANIFEST} is not JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise UserError(f"{store}/{MANIFEST} has format {found!r}; this version reads {FORMAT!r}")
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(manifest.get(name), kind)]
    if wrong:
        raise UserError(f"{store}/{MANIFEST} lacks a proper {', '.join(wrong)}")
    for name, schema in {"spec": SPEC, "sentences": SENTENCES, "lineage": LINEAGE}.items():
        if reason := misfit(manifest.get(name), schema, name):
            what = "not a Spec" if name == "spec" else f"no {name} that can be read"
            raise UserError(f"{store}/{MANIFEST} holds {what}: {reason}")
    for shard in manifest["shards"]:
        _check_shard(store, shard, sizes)
    return manifest


def _check_shard(store: Store, shard: Any, sizes: Mapping[str, int]) -> None:
    kinds = {"name": str, "episodes": int, "bytes": int, "sha256": str}
    if not isinstance(shard, dict) or not all(isinstance(shard.get(key), kind) for key, kind in kinds.items()):
        raise UserError(f"{store}/{MANIFEST}: a shard needs {', '.join(kinds)}, got {shard!r:.100}")
    name = shard["name"]
    if not SHARD_NAME.fullmatch(name) or store.leads_out(name):
        raise UserError(f"{store}/{MANIFEST}: {name!r} is not a shard of this folder")
    if name not in sizes:
        raise UserError(f"{store}: shard {name} is missing")
    if sizes[name] != shard["bytes"]:
        raise UserError(f"{store}: shard {name} has {sizes[name]} bytes, the manifest says {shard['bytes']}: truncated")


def _rows(store: Store, manifest: dict[str, Any]) -> tuple[Row, ...]:
    try:
        index = store.read(INDEX)
    except FileNotFoundError:
        index = b""
    if hashlib.sha256(index).hexdigest() != manifest["index_sha256"]:
        raise UserError(f"{store}/{INDEX} is missing or not what the manifest says (sha256)")
    try:
        return tuple(Row.from_json(json.loads(line)) for line in index.splitlines())
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{store}/{INDEX} is not an index of episodes: {error}") from None
