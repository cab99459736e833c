"""Where a data set lies: a folder, or a prefix in an object store (bucket.py). Names may have one folder in them."""

from __future__ import annotations

import contextlib
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from mmil.contracts import UserError
from mmil.data.locked import LOCK, locked
from mmil.data.shards import write_atomic

TEMPORARY = re.compile(r"\..+\.\d+\.tmp")  # of write_atomic


class Store(ABC):
    """Files by name, each of them there as a whole or not at all."""

    at_once = 1  # requests that are no slower for being made together

    @abstractmethod
    def __str__(self) -> str:
        """The address, as a person would type it."""

    @abstractmethod
    def sizes(self) -> Mapping[str, int]:
        """Every file and its size [bytes], by name: "manifest.json", ".parts/000007.part"."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """A file to read and to seek in; FileNotFoundError where there is none."""

    @abstractmethod
    def write(self, name: str, content: bytes | Iterable[bytes]) -> None:
        """A reader sees all of it or nothing, and what was there before until then."""

    @abstractmethod
    def remove(self, names: Iterable[str]) -> None:
        """Whether they exist or not."""

    @abstractmethod
    def clear(self, folder: str) -> None:
        """Remove everything below, if there is anything."""

    @abstractmethod
    def hold(self, folder: str = "") -> AbstractContextManager[None]:
        """Be the only one who writes; UserError where somebody else is. `folder` is made, where folders are."""

    def leads_out(self, name: str) -> bool:
        """Whether what lies there is somewhere else in truth."""
        return False

    @property
    def free(self) -> int | None:
        """[bytes] that may still be written, if there is an end."""
        return None

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()


class Folder(Store):
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def sizes(self) -> Mapping[str, int]:
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file; a data set is a folder")
        found = [*self.path.glob("*"), *self.path.glob("*/*")]
        return {path.relative_to(self.path).as_posix(): path.stat().st_size for path in found if path.is_file()}

    def open(self, name: str) -> BinaryIO:
        return (self.path / name).open("rb")

    def write(self, name: str, content: bytes | Iterable[bytes]) -> None:
        write_atomic(self.path / name, content)

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def clear(self, folder: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.path / folder)

    def leads_out(self, name: str) -> bool:
        return (self.path / name).resolve().parent != self.path.resolve()

    @contextlib.contextmanager
    def hold(self, folder: str = "") -> Iterator[None]:
        try:
            (self.path / folder).mkdir(parents=True, exist_ok=True)
            lock = locked(self.path)
        except OSError as error:
            raise UserError(f"cannot write to {self.path}: {error.strerror}") from error
        with lock:
            self._remove_temporaries()
            try:
                yield
            finally:
                self._remove_temporaries()
                (self.path / LOCK).unlink(missing_ok=True)  # before it is let go: whoever has opened it looks again

    @property
    def free(self) -> int | None:
        standing = next(place for place in (self.path, *self.path.absolute().parents) if place.exists())
        return shutil.disk_usage(standing).free

    def _remove_temporaries(self) -> None:
        for path in (*self.path.glob(".*.tmp"), *self.path.glob("*/.*.tmp")):
            if TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)
