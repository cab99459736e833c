"""Files of a data set, written so that none is ever half there, and read so that a damaged one is named.

A shard is the parts of its episodes in order, then an end of archive; its index rows say where each sample lies.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from mmil.contracts import Goal, Outcome, Spans, Split, Thing, UserError, spans_told
from mmil.contracts.spans import fit
from mmil.data.sample import BLOCK, encode_json, member_content, require_plain
from mmil.data.schema import ATTEMPT, ROW, misfit

SHARD_NAME = re.compile(r"episodes-\d{6,}\.tar")
END_OF_ARCHIVE = b"\0" * (2 * BLOCK)
EXPERT = "expert"  # the quality of what does not say its own, as that of an Episode


@dataclass(frozen=True)
class Row:
    """A line of index.jsonl: an episode, and where its sample lies."""

    key: str
    index: int
    shard: str
    offset: int  # [bytes], of the first header
    size: int  # [bytes], up to the next sample
    seed: int
    attempts: int
    goal: Goal
    instruction: str
    split: Split
    outcome: Outcome
    things: tuple[Thing, ...]
    steps: int
    quality: str = EXPERT
    references: tuple[str, ...] = ()  # see Episode
    labelled: Spans | None = None  # see Episode

    @property
    def labels(self) -> int:
        """Of the expert's."""
        return self.steps if self.labelled is None else sum(stop - first for first, stop in self.labelled)

    def to_json(self) -> dict[str, Any]:
        silent = {"references": not self.references, "labelled": self.labelled is None}
        return {key: value for key, value in asdict(self).items() if not silent.get(key)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Row:
        if reason := misfit(data, ROW):
            raise ValueError(reason)
        things = tuple(Thing(**thing) for thing in data["things"])
        told = {"goal": Goal.from_json(data["goal"]), "things": things, "quality": data.get("quality") or EXPERT}
        told["references"] = tuple(data.get("references") or ())
        told["labelled"] = spans_told(data.get("labelled"))
        if told["labelled"] is not None and not fit(told["labelled"], data["steps"]):
            raise ValueError(f"labelled {data['labelled']!r:.60} are no spans of {data['steps']} steps")
        return cls(**{**data, **told})


def shard_name(number: int) -> str:
    return f"episodes-{number:06d}.tar"


def write_atomic(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write under a temporary name beside `path`, then rename: a reader sees all of it or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror}; nothing half-written was left") from error


def shard(samples: Iterable[bytes]) -> Iterator[bytes]:
    """What a shard of these samples holds, one of them in memory at a time."""
    yield from samples
    yield END_OF_ARCHIVE


def assemble(path: Path, parts: Iterable[Path]) -> None:
    """Write the shard made of the samples in these files."""
    write_atomic(path, shard(part.read_bytes() for part in parts))


def scan(path: Path, *, first: int) -> list[Row]:
    """The rows of a shard, read from the shard itself; `first` is the index of its first episode."""
    try:
        with tarfile.open(path, "r:") as tar:
            members = list(tar)
            for member in members:
                require_plain(member)
            groups = [list(group) for _, group in groupby(members, key=lambda m: m.name.partition(".")[0])]
            end = path.stat().st_size - len(END_OF_ARCHIVE)
            offsets = [group[0].offset for group in groups] + [end]
            descriptions = [json.loads(member_content(tar, group[0])) for group in groups]
            keys, spans = [group[0].name.partition(".")[0] for group in groups], pairwise(offsets)
            return [
                describe(about, key=key, index=first + number, shard=path.name, span=span)
                for number, (about, key, span) in enumerate(zip(descriptions, keys, spans, strict=True))
            ]
    except (tarfile.TarError, ValueError, KeyError, TypeError, UserError) as error:
        raise UserError(f"{path} is damaged: {error}") from None


def describe(about: Mapping[str, Any], *, key: str, index: int, shard: str, span: tuple[int, int]) -> Row:
    """The row of an episode with this description that lies from span[0] to span[1] of its shard [bytes]."""
    told = {name: about.get(name) for name in ATTEMPT}
    place = {"key": key, "index": index, "shard": shard, "offset": span[0], "size": span[1] - span[0]}
    return Row.from_json({**place, **told})


def shard_entry(path: Path, rows: Iterable[Row]) -> dict[str, Any]:
    """What the manifest says of a shard."""
    episodes = sum(row.shard == path.name for row in rows)
    return {"name": path.name, "episodes": episodes, "bytes": path.stat().st_size, "sha256": file_sha256(path)}


def encode_rows(rows: Iterable[Row]) -> bytes:
    return b"".join(encode_json(row.to_json()) + b"\n" for row in rows)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damage(path: Path, *, size: int, sha256: str) -> str | None:
    """One line that says how a shard differs from its manifest, or None."""
    if not path.is_file():
        return f"{path.name} is missing"
    if path.stat().st_size != size:
        return f"{path.name} has {path.stat().st_size} bytes, the manifest says {size}: truncated or altered"
    if (found := file_sha256(path)) != sha256:
        return f"{path.name} has sha256 {found[:12]}…, the manifest says {sha256[:12]}…: altered"
    return None


def sync(path: Path) -> None:
    """Wait until a file, or which files a folder holds, would outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
