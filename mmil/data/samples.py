"""Encoded episodes out of a shard: the members of a tar grouped by key, still bytes.

A shard is a plain ustar file on this machine, so it is read here and not by webdataset: that takes 8 µs a window instead
of 65, and there is no address in it that could name a pipe or a host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mmil.contracts import UserError

BLOCK = 512  # of a tar: headers and data start at its multiples
Sample = dict[str, bytes]  # suffix → bytes; "__key__" → the key, as bytes


@dataclass(frozen=True)
class Member:
    """A file inside a shard: where its bytes lie."""

    name: str
    offset: int
    size: int

    @property
    def key(self) -> str:
        return self.name.partition(".")[0]

    @property
    def suffix(self) -> str:
        return self.name.partition(".")[2]


def headers(file: BinaryIO, path: Path) -> Iterator[Member]:
    """Every member in order. The file stands at its data when it is yielded, and may be left anywhere."""
    position = 0
    while True:
        file.seek(position)
        header = file.read(BLOCK)
        if len(header) == BLOCK and not header[0]:
            return
        member = _member(header, path, position + BLOCK)
        yield member
        position = member.offset + member.size + -member.size % BLOCK


def _member(header: bytes, path: Path, offset: int) -> Member:
    if len(header) < BLOCK:
        raise UserError(f"{path.name} is truncated: no end of archive; `mmil verify` names what is missing")
    name = header[: header.index(0)] if 0 in header[:100] else header[:100]
    if header[257:262] != b"ustar" or header[156:157] not in (b"0", b"\0") or b"/" in name or header[345]:
        raise UserError(f"{path.name} is not a shard: at byte {offset - BLOCK} stands {header[:20]!r}, not a plain file")
    return Member(name.decode(), offset, int(header[124:135], 8))


def read_samples(path: Path, *, want: Callable[[str], bool] = lambda suffix: True) -> Iterator[Sample]:
    """One dict an episode, with the members whose suffix is wanted."""
    sample: Sample = {}
    with path.open("rb", buffering=1 << 20) as file:
        for member in headers(file, path):
            if sample and sample["__key__"] != member.key.encode():
                yield sample
                sample = {}
            sample.setdefault("__key__", member.key.encode())
            if want(member.suffix):
                sample[member.suffix] = _read(file, member, path)
    if sample:
        yield sample


def _read(file: BinaryIO, member: Member, path: Path) -> bytes:
    data = file.read(member.size)
    if len(data) < member.size:
        raise UserError(f"{path.name} is truncated inside {member.name}: {len(data)} of {member.size} bytes are there")
    return data
