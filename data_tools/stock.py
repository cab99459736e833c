"""What stands in the store while a data set grows: parts, shards made of them, and a record beside every shard.

All of it is written whole or not at all, in this order: the parts of a shard, the shard, its record; then the parts go.
So a shard counts once its record is there, and whatever moment a run ends at, the next one finds all that was made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from data_tools.behind import Behind
from data_tools.folder import PARTS
from data_tools.part import Attempt, Part, part_name, read_attempts
from data_tools.tally import Tally
from mmil.contracts import Spec, UserError
from mmil.data.sample import encode_json
from mmil.data.shards import Row, describe, shard, shard_name
from mmil.data.store import Store

SPEC = f"{PARTS}/spec.json"


@dataclass(frozen=True)
class Record:
    """What the manifest and the index will say of a shard, and how its episodes came about."""

    entry: dict[str, Any]
    rows: tuple[Row, ...]
    attempts: tuple[tuple[Attempt, ...], ...]  # of each row

    def encode(self) -> bytes:
        attempts = [[attempt.to_json() for attempt in made] for made in self.attempts]
        return encode_json({"entry": self.entry, "rows": [asdict(row) for row in self.rows], "attempts": attempts})

    @classmethod
    def decode(cls, data: bytes) -> Record:
        told = json.loads(data)
        return cls(told["entry"], tuple(map(Row.from_json, told["rows"])), tuple(map(read_attempts, told["attempts"])))


class Stock:
    """What is there already, and the one way to add to it."""

    def __init__(self, store: Store, *, episodes: int, per_shard: int, seed: int) -> None:
        self.store, self.episodes, self.per_shard, self.seed = store, episodes, per_shard, seed
        self.records: dict[int, Record] = {}  # number of the shard → what it holds
        self.tally = Tally()
        self._there: set[int] = set()  # indexes of episodes
        self._behind = Behind(store.at_once)
        self._spec: str | None = None
        sizes = store.sizes()
        for number in range(-(-episodes // per_shard)):
            self._take(number, sizes)

    def missing(self) -> list[int]:
        return [index for index in range(self.episodes) if index not in self._there]

    @property
    def spec(self) -> dict[str, Any]:
        """Of the scene that all of it was made in."""
        return json.loads(self.store.read(SPEC))

    def require_spec(self, spec: str) -> None:
        """One Spec, versions included, for whoever has a part in the data set: others would make other bytes."""
        if self._spec is None:
            try:
                self._spec = self.store.read(SPEC).decode()
            except FileNotFoundError:
                self.store.write(SPEC, spec.encode())
                self._spec = spec
        if self._spec != spec:
            there, found = (Spec.from_json(json.loads(text)) for text in (self._spec, spec))
            lines = found.differences(there) or [f"versions: {dict(found.versions)} != {dict(there.versions)}"]
            raise UserError(f"{self.store} was begun with another scene: {'; '.join(lines)}: name a new folder")

    def add(self, part: Part) -> None:
        """Keep a part, and assemble its shard once it is the last one."""

        def kept(_: None) -> None:
            self._count(part.index, part.attempts)
            self._assemble_if_whole(part.index // self.per_shard)

        self._behind.do(lambda: self.store.write(part.name, part.encode()), then=kept)

    def finish(self) -> None:
        """Wait until all that was added stands there."""
        self._behind.finish()

    def close(self) -> None:
        self._behind.close()

    def _indexes(self, number: int) -> range:
        return range(number * self.per_shard, min((number + 1) * self.per_shard, self.episodes))

    def _count(self, index: int, attempts: tuple[Attempt, ...]) -> None:
        self._there.add(index)
        self.tally.add(attempts)

    def _take(self, number: int, sizes: Mapping[str, int]) -> None:
        """Count in what an earlier run made of a shard."""
        name, parts = shard_name(number), [i for i in self._indexes(number) if part_name(i) in sizes]
        if _record_name(number) in sizes and name in sizes:
            record = self._record(number)
            if sizes[name] != record.entry["bytes"]:
                size = f"it has {sizes[name]} bytes of {record.entry['bytes']}"
                raise UserError(f"{self.store}/{name} is damaged: {size}; remove it and run again to make it anew")
            self.records[number] = record
            for row, attempts in zip(record.rows, record.attempts, strict=True):
                self._count(row.index, attempts)
            self.store.remove(map(part_name, parts))
            return
        for index in parts:
            self._take_part(index)
        if not self._assemble_if_whole(number) and name in sizes:
            raise UserError(
                f"{self.store}/{name} is not of this run, or what {PARTS} knew of it is lost: remove it and run again "
                "to make it anew"
            )

    def _record(self, number: int) -> Record:
        name = _record_name(number)
        try:
            return Record.decode(self.store.read(name))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.store}/{name} is damaged ({error}): remove its shard, and run again") from None

    def _take_part(self, index: int) -> None:
        try:
            part = Part.decode(index, self.store.read(part_name(index)))
        except (ValueError, TypeError):
            part = None
        if part is not None and part.is_whole(self.seed):
            self._count(index, part.attempts)
        else:
            self.store.remove([part_name(index)])

    def _assemble_if_whole(self, number: int) -> bool:
        if not self._there.issuperset(self._indexes(number)):
            return False
        self._behind.do(lambda: self._assemble(number), then=lambda record: self.records.update({number: record}))
        return True

    def _assemble(self, number: int) -> Record:
        packing, indexes = _Packing(shard_name(number)), self._indexes(number)
        parts = (Part.decode(index, self.store.read(part_name(index))) for index in indexes)
        self.store.write(shard_name(number), packing.chunks(parts))
        self.store.write(_record_name(number), packing.record.encode())
        self.store.remove(map(part_name, indexes))
        return packing.record


class _Packing:
    """Notes what lies where in a shard while it is written."""

    def __init__(self, name: str) -> None:
        self._name, self._size, self._hash = name, 0, hashlib.sha256()
        self._rows: list[Row] = []
        self._attempts: list[tuple[Attempt, ...]] = []

    def chunks(self, parts: Iterator[Part]) -> Iterator[bytes]:
        for chunk in shard(self._noted(part) for part in parts):
            self._size += len(chunk)
            self._hash.update(chunk)
            yield chunk

    @property
    def record(self) -> Record:
        sha256 = self._hash.hexdigest()
        entry = {"name": self._name, "episodes": len(self._rows), "bytes": self._size, "sha256": sha256}
        return Record(entry, tuple(self._rows), tuple(self._attempts))

    def _noted(self, part: Part) -> bytes:
        key, about = part.described()
        span = self._size, self._size + len(part.sample)
        self._rows.append(describe(about, key=key, index=part.index, shard=self._name, span=span))
        self._attempts.append(part.attempts)
        return part.sample


def _record_name(number: int) -> str:
    return f"{PARTS}/{shard_name(number)}.json"
