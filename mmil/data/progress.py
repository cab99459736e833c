"""A progress bar on stderr for what takes longer than a few seconds."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def progress(items: Iterable[Item], description: str, *, total: int) -> Generator[Item, None, None]:
    """The same items, with a bar that fills as they are taken."""
    from rich.console import Console
    from rich.progress import track

    yield from track(items, description, total=total, console=Console(stderr=True), transient=True)
