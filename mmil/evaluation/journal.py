"""Trials as they end, a line each, so that an evaluation that is stopped goes on where it was."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmil.contracts import Trial, UserError
from mmil.data.shards import write_atomic

PART = "trials.part.jsonl"


class Journal:
    """FOLDER/trials.part.jsonl: a line of what is asked for, then one of each trial that has ended, by its number.

    `done` holds those that an earlier evaluation left, if it was asked for the very same; else it begins anew. A last
    line that was torn is one trial less. Opening it makes the folder, so that one that cannot be is told before hours
    of trials and not after.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        self._path, self._asked = folder / PART, json.loads(json.dumps(asked))
        self._made = [place for place in (folder, *folder.parents) if not place.exists()]  # the innermost first
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.done = so_far(folder, self._asked)
            lines = [{"asked": self._asked}, *(_line(number, trial) for number, trial in self.done.items())]
            write_atomic(self._path, "".join(json.dumps(line) + "\n" for line in lines).encode())
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise UserError(f"trials cannot be written to {folder}: {error.strerror}") from None

    def add(self, number: int, trial: Trial) -> None:
        self.done[number] = trial
        self._file.write(json.dumps(_line(number, trial)) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Leave it for whoever goes on; nothing where no trial has ended, be it that none could begin."""
        self._file.close()
        if not self.done:
            self._path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # something else came to lie there
                for made in self._made:
                    made.rmdir()

    def end(self) -> None:
        """All that was asked for is written elsewhere."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def so_far(folder: Path, asked: Mapping[str, Any] | None = None) -> dict[int, Trial]:
    """The trials of an unfinished evaluation by their numbers; none where something else than `asked` was asked for."""
    try:
        first, *lines = map(_parsed, (folder / PART).read_text(encoding="utf-8", errors="replace").splitlines())
    except (OSError, ValueError):
        return {}
    if asked is not None and first.get("asked") != asked:
        return {}
    found = {}
    for told in lines:
        try:
            found[int(told["number"])] = Trial.from_json(told["trial"])
        except (KeyError, TypeError, ValueError):
            continue
    return found


def _line(number: int, trial: Trial) -> dict[str, Any]:
    return {"number": number, "trial": trial.to_json()}


def _parsed(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
