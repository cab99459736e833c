"""A prefix in an object store, through fsspec. There a PUT is all or nothing, which is what a Store promises."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from mmil.contracts import UserError
from mmil.data.lease import Lease
from mmil.data.locked import LOCK
from mmil.data.store import Store


class Bucket(Store):
    """Objects are written whole, and lie in memory for that."""

    at_once = 16

    def __init__(self, fs: Any, prefix: str, *, address: str) -> None:
        self._fs, self._prefix, self._address = fs, prefix.rstrip("/"), address.rstrip("/")
        self._lease = Lease(fs, f"{self._prefix}/{LOCK}", address=self._address)

    def __str__(self) -> str:
        return self._address

    def sizes(self) -> Mapping[str, int]:
        with self._told("list"):
            self._fs.invalidate_cache()
            found = self._fs.find(self._prefix, detail=True)
        return {path.removeprefix(self._prefix).lstrip("/"): about["size"] for path, about in found.items()}

    def open(self, name: str) -> BinaryIO:
        with self._told(f"read {name} of", reads=True):
            return self._fs.open(f"{self._prefix}/{name}", "rb", cache_type="none")

    def read(self, name: str) -> bytes:
        with self._told(f"read {name} of", reads=True):
            return self._fs.cat_file(f"{self._prefix}/{name}")

    def write(self, name: str, content: bytes | Iterable[bytes]) -> None:
        self._lease.require()
        data = content if isinstance(content, bytes) else b"".join(content)
        with self._told(f"write {name} to"):
            self._fs.pipe_file(f"{self._prefix}/{name}", data)

    def remove(self, names: Iterable[str]) -> None:
        paths = [f"{self._prefix}/{name}" for name in names]
        with self._told("remove from"), contextlib.suppress(FileNotFoundError):
            if paths:
                self._fs.rm(paths)

    def clear(self, folder: str) -> None:
        self.remove([name for name in self.sizes() if name.startswith(f"{folder}/")])

    @contextlib.contextmanager
    def hold(self, folder: str = "") -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with self._told("lock"):
                stack.enter_context(self._lease.held())
            yield

    @contextlib.contextmanager
    def _told(self, doing: str, *, reads: bool = False) -> Iterator[None]:
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # every store has its own
            if reads and isinstance(error, FileNotFoundError):
                raise
            raise UserError(f"cannot {doing} {self._address}: {' '.join(str(error).split())}") from error
