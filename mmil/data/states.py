"""States of sentences, as a frozen text model read them, kept beside a data set for whoever trains on it next."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmil.contracts import UserError
from mmil.data.shards import write_atomic

INDEX = "index.json"


class SentenceStates:
    """Sentence → its states (P, D) as float16, in a folder that many may read; one that `writes` adds to it.

    index.json says of which model they are (`fingerprint`), where those of each sentence end, and in which file; it is
    written last. States of another model are refused. What is missing or torn can be read again, and begins anew.
    """

    def __init__(self, folder: Path, fingerprint: Mapping[str, Any], *, writes: bool = True) -> None:
        self.folder, self.fingerprint, self.writes = folder, json.loads(json.dumps(fingerprint)), writes
        self._places: dict[str, tuple[int, int]] = {}
        self._rows: np.ndarray | None = None
        self._open()

    def __reduce__(self) -> tuple[Any, ...]:
        return SentenceStates, (self.folder, self.fingerprint)

    def __contains__(self, sentence: str) -> bool:
        return sentence in self._places

    def __len__(self) -> int:
        return len(self._places)

    def get(self, sentence: str) -> np.ndarray | None:
        """A copy."""
        if sentence not in self._places or self._rows is None:
            return None
        begin, end = self._places[sentence]
        return np.array(self._rows[begin:end])

    def add(self, states: Mapping[str, np.ndarray]) -> None:
        """Write what was there and these to a new file, then the index that names it, and remove the old one."""
        if not states:
            return
        width = next(iter(states.values())).shape[1]
        lengths = [end - begin for begin, end in self._places.values()] + [len(rows) for rows in states.values()]
        name = f"states-{os.getpid()}-{len(lengths)}.f16"
        told = {"fingerprint": self.fingerprint, "file": name, "width": width}
        told |= {"sentences": [*self._places, *states], "ends": np.cumsum(lengths).tolist()}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write {self.folder}: {error.strerror}") from None
        write_atomic(self.folder / name, self._bytes(states))
        write_atomic(self.folder / INDEX, json.dumps(told).encode())
        for old in self.folder.glob("states-*.f16"):
            if old.name != name:
                old.unlink(missing_ok=True)  # who reads it still has it
        self._open()

    def _bytes(self, states: Mapping[str, np.ndarray]) -> Iterator[bytes]:
        if self._rows is not None:
            for begin in range(0, len(self._rows), 1 << 14):
                yield np.ascontiguousarray(self._rows[begin : begin + (1 << 14)]).tobytes()
        for rows in states.values():
            yield np.ascontiguousarray(rows, np.float16).tobytes()

    def _open(self) -> None:
        self._places, self._rows = {}, None
        try:
            told = json.loads((self.folder / INDEX).read_bytes())
            of, name, width, ends = (told[key] for key in ("fingerprint", "file", "width", "ends"))
            sentences = told["sentences"]
        except (OSError, ValueError, KeyError, TypeError):
            return
        if of != self.fingerprint:
            raise UserError(f"{self.folder} holds states of another text model: {of} != {self.fingerprint}; delete it")
        try:
            if Path(name).name != name or len(ends) != len(sentences):
                raise ValueError("an index that does not fit")
            rows = np.memmap(self.folder / name, np.float16, "r").reshape(-1, width)
            if len(rows) != ends[-1] or any(b < a for a, b in zip([0, *ends], ends, strict=False)):
                raise ValueError("a file that does not fit its index")
        except (OSError, ValueError, TypeError, IndexError):
            return
        self._rows = rows
        self._places = dict(zip(sentences, zip([0, *ends], ends, strict=False), strict=True))
