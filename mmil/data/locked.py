"""One process at a time may write into a folder; its lock ends with it, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from mmil.contracts import UserError

LOCK = ".lock"


def locked(folder: Path, *, error: str | None = None) -> BinaryIO:
    """The lock of a folder that exists, to be closed by whoever has it; UserError where another process has it.

    error: what that says, if not that another is writing there.
    """
    while True:
        lock = (folder / LOCK).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), (folder / LOCK).stat()):
                return lock
        except BlockingIOError:
            lock.close()
            raise UserError(error or f"another `mmil` is writing to {folder}") from None
        except FileNotFoundError:  # whoever held it has just removed it
            pass
        lock.close()
