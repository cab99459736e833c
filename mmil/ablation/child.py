"""A command of mmil in a process of its own: what it took is free afterwards, and what it breaks is its own."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE, Popen

from mmil.contracts import UserError

TAIL = 1 << 14  # [bytes] of what it said, to find the reason in


def run(arguments: Sequence[str], *, log: Path, hold: int) -> None:
    """Do `mmil …` and show its bars; what it says at the end goes to `log`. UserError with the line that it failed by.

    hold: a file that stays open in it, so that whoever locks it knows that somebody is still at work.
    """
    with (
        log.open("ab") as said,
        Popen(_command(arguments), stdout=said, stderr=PIPE, env=_environment(), pass_fds=(hold,)) as child,
    ):
        try:
            tail = _shown(child)
        except BaseException:
            child.terminate()
            raise
    if child.returncode == 130:
        raise KeyboardInterrupt
    if child.returncode:
        raise UserError(f"{_reason(tail)} (`mmil {arguments[0]}` ended with {child.returncode})")


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "mmil.cli", *arguments]


def _environment() -> dict[str, str]:
    """Bars that go through a pipe are drawn as for the terminal at its end."""
    if not sys.stderr.isatty():
        return dict(os.environ)
    return {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}


def _shown(child: Popen[bytes]) -> bytes:
    """Pass on what it says as it says it; the end of that."""
    assert child.stderr is not None, "it is a pipe"
    tail = b""
    while part := os.read(child.stderr.fileno(), 4096):
        tail = (tail + part)[-TAIL:]
        sys.stderr.write(part.decode(errors="replace"))
        sys.stderr.flush()
    return tail


def _reason(tail: bytes) -> str:
    """Its line of error, or the last it said."""
    lines = [line.strip() for line in tail.decode(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return [*lines[-1:], *errors][-1][:600] if lines else "it said nothing"
