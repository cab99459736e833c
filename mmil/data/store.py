"""Where a data set lies: a folder, or a prefix in an object store (see bucket.py). Names may have one folder in them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from mmil.contracts import UserError
from mmil.data.shards import write_atomic

LOCK = ".lock"
ADDRESS = re.compile(r"pipe:|[A-Za-z][A-Za-z0-9+.-]+:/")
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")  # of write_atomic


class Store(ABC):
    """Files by name, each of them there as a whole or not at all."""

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
    def hold(self) -> AbstractContextManager[None]:
        """Be the only one who writes; UserError where somebody else is."""

    @property
    def free(self) -> int | None:
        """[bytes] that may still be written, if there is an end."""
        return None

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()
