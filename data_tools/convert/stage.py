"""A hidden folder beside the output, in which a conversion grows: nothing stands at its name before it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from mmil.contracts import UserError
from mmil.data.shards import sync

LOCK = ".lock"


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """An empty folder to write in, ours alone; what a killed run left in it is cleared away, as it is at the end."""
    require_free(out)
    stage = out.parent / f".{out.name}.partial"
    try:
        stage.mkdir(parents=True, exist_ok=True)
        lock = (stage / LOCK).open("w")
    except OSError as error:
        raise UserError(f"cannot write beside {out}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another `mmil convert` is writing {out}") from None
        _clear(stage)
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def require_free(out: Path) -> None:
    """Refuse to write over anything."""
    if out.is_symlink() or out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"{out} is there already; name a new one, or remove it")


def publish(made: Path, out: Path) -> None:
    """Give what was made its name, all at once, when the disk has it."""
    require_free(out)
    for path in [made, *made.rglob("*")] if made.is_dir() else [made]:
        sync(path)
    os.replace(made, out)
    sync(out.parent)


def _clear(stage: Path) -> None:
    for path in stage.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
