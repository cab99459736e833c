"""The folder that a data set grows in: who may write to it, with which options, and what an earlier run left there."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmil.contracts import UserError
from mmil.data.dataset import GENERATION, MANIFEST
from mmil.data.shards import write_atomic

LOCK, PARTS, SPEC = ".lock", ".parts", "spec.json"
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")  # of write_atomic


@contextlib.contextmanager
def claim(out: Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Hold `out` alone, for a data set with these options: new, or begun by an earlier run with the same ones."""
    _refuse_foreign(out)
    require_same(out, config)
    try:
        (out / PARTS).mkdir(parents=True, exist_ok=True)
        lock = (out / LOCK).open("w")
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another `mmil generate` is writing to {out}") from None
        remove_temporaries(out)
        require_same(out, config)  # nobody else can write it from here on
        if not (out / GENERATION).is_file():
            write_atomic(out / GENERATION, json.dumps(config, indent=1).encode() + b"\n")
        try:
            yield
        finally:
            remove_temporaries(out)


def require_same(out: Path, config: Mapping[str, Any]) -> None:
    """Raise UserError with the lines that differ if `out` was begun with other options."""
    if not (out / GENERATION).is_file():
        return
    try:
        there = json.loads((out / GENERATION).read_bytes())
    except ValueError as error:
        raise UserError(f"{out / GENERATION} is not JSON: {error}") from None
    lines = _differences(json.loads(json.dumps(config)), there)
    if lines:
        raise UserError(f"{out} was begun with other options: {'; '.join(lines)}: name a new folder, or use those")


def is_finished(out: Path) -> bool:
    """Whether there is nothing left to do, not even to clear away."""
    return (out / MANIFEST).is_file() and not (out / PARTS).exists() and not (out / LOCK).exists()


def finish(out: Path) -> None:
    """Remove what only an unfinished data set needs."""
    shutil.rmtree(out / PARTS)
    (out / LOCK).unlink()  # whoever waits for it finds a manifest


def remove_temporaries(out: Path) -> None:
    for folder in (out, out / PARTS):
        for path in folder.glob(".*.tmp"):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)


def _refuse_foreign(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; --out needs a folder")
    if not out.exists() or (out / GENERATION).is_file():
        return
    others = sorted(path.name for path in out.iterdir() if not _ours(path))
    if others:
        raise UserError(f"{out} holds something else ({', '.join(others[:3])}) and no {GENERATION}: name a new folder")


def _ours(path: Path) -> bool:
    """Whether an earlier run, killed before it wrote its options, may have left this."""
    empty_parts = path.name == PARTS and path.is_dir() and not any(path.iterdir())
    return empty_parts or path.name == LOCK or bool(_TEMPORARY.fullmatch(path.name))


def _differences(asked: Any, there: Any, key: str = "") -> list[str]:
    if isinstance(asked, dict) and isinstance(there, dict):
        keys = sorted(asked.keys() | there.keys())
        prefix, absent = f"{key}." if key else "", "(absent)"
        return [line for k in keys for line in _differences(asked.get(k, absent), there.get(k, absent), f"{prefix}{k}")]
    return [] if asked == there else [f"{key}: {asked} (asked) != {there} (there)"]
