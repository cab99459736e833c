"""A command of mmil in a process of its own: what it took is free afterwards, and what it breaks is its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from typing import Any, BinaryIO

from mmil.contracts import UserError

Value = None | bool | int | float | str | list | dict  # not Any: the parser would build what it names
Options = Mapping[str, Value]  # of a verb, by their dotted names
Run = Callable[[Sequence[str]], None]  # does a command line without "mmil"; UserError where it fails
TAIL = 1 << 14  # [bytes] of what it said, to find the reason in


def run(arguments: Sequence[str], *, log: Path, hold: int) -> None:
    """Do `mmil …`, show what it says and keep it in `log`; UserError with the line that it failed by.

    hold: a file that stays open in it, so that whoever locks it knows that somebody is still at work.
    """
    with (
        log.open("ab") as kept,
        Popen(_command(arguments), stdout=PIPE, stderr=STDOUT, env=_environment(), pass_fds=(hold,)) as child,
    ):
        try:
            tail = _shown(child, kept)
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


def _shown(child: Popen[bytes], kept: BinaryIO) -> bytes:
    """Pass on what it says as it says it, bars too; the end of that."""
    assert child.stdout is not None, "it is a pipe"
    tail, decode = b"", getincrementaldecoder("utf-8")("replace").decode
    while part := os.read(child.stdout.fileno(), 4096):
        tail = (tail + part)[-TAIL:]
        kept.write(part)
        sys.stderr.write(decode(part))
        sys.stderr.flush()
    return tail


def _reason(tail: bytes) -> str:
    """Its line of error, or the last it said."""
    lines = [line.strip() for line in tail.decode(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return [*lines[-1:], *errors][-1][:600] if lines else "it said nothing"


def flags(options: Options) -> tuple[str, ...]:
    """Options as a command line has them: one more config, because a flag cannot say that a part is null."""
    nested: dict[str, Any] = {}
    for name, value in options.items():
        *path, last = str(name).split(".")
        node = nested
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise UserError(f"{name} is a part of {part}, which is given a value of its own")
        node[last] = deepcopy(value)
    return ("--config", json.dumps(nested)) if nested else ()
