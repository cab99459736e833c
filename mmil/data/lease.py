"""Who may write to a prefix of an object store: whoever renews the lock that lies there.

Stores know no locks that end with their holder, so that this one carries a time: whoever has been silent for SILENT
seconds is taken to be dead. Clocks of machines must agree to less than that. Should two hold it all the same (a machine
that slept), the one that was replaced finds out when it renews, and stops; until then both write the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from mmil.contracts import UserError

SILENT = 60.0  # [s]
BEATS = 4  # signs of life in that time
SETTLE = 1.0  # [s], after which two who took over at the same moment see which of them it is


class Lease:
    """The lock at `path` of a file system of fsspec."""

    def __init__(self, fs: Any, path: str, *, address: str) -> None:
        self._fs, self._path, self._address = fs, path, address
        self._owner = uuid.uuid4().hex
        self._over, self._lost = threading.Event(), False

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self._over.clear()
        self._lost = False
        self._take()
        beat = threading.Thread(target=self._live, daemon=True)
        beat.start()
        try:
            yield
        finally:
            self._over.set()
            beat.join()
            with contextlib.suppress(Exception):  # out of reach: silence will free it
                if self._is_mine():
                    self._fs.rm(self._path)

    def require(self) -> None:
        """Raise UserError if somebody else holds it by now."""
        if self._lost:
            raise UserError(f"another `mmil` took over {self._address}: this one had given no sign of life")

    def _take(self) -> None:
        there = self._read()
        silent = time.time() - there.get("alive", 0.0)
        if there and abs(silent) < SILENT:
            raise UserError(
                f"another `mmil` is writing to {self._address} (its last sign of life is {silent:.0f} s old; "
                f"one that is silent for {SILENT:.0f} s counts as dead)"
            )
        try:
            self._sign(mode="overwrite" if there else "create")
        except FileExistsError:
            raise UserError(f"another `mmil` has just begun to write to {self._address}") from None
        if there:
            time.sleep(SETTLE)
            self._lost = not self._is_mine()
            self.require()

    def _live(self) -> None:
        while not self._over.wait(SILENT / BEATS) and not self._lost:
            with contextlib.suppress(Exception):  # a store out of reach: writing to it says so
                self._renew()

    def _renew(self) -> None:
        self._lost = not self._is_mine()
        if not self._lost:
            self._sign()

    def _is_mine(self) -> bool:
        return self._read().get("owner") == self._owner

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self._fs.cat_file(self._path))
        except FileNotFoundError:
            return {}

    def _sign(self, *, mode: str = "overwrite") -> None:
        self._fs.pipe_file(self._path, json.dumps({"owner": self._owner, "alive": time.time()}).encode(), mode=mode)
