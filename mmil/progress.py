"""One look for everything that takes longer than a few seconds: how far, how fast, how it goes, how long still."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")
EVERY = 60.0  # [s], from one line to the next in a file, where no bar moves
Advance = Callable[..., None]  # (note="", by=1, below="")


def progress(items: Iterable[Item], doing: str, *, total: int, unit: str) -> Generator[Item, None, None]:
    """The same items, with a bar on stderr that fills as they are taken."""
    with progress_bar(doing, total=total, unit=unit) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def progress_bar(doing: str, *, total: int, unit: str, already: int = 0, note: str = "") -> Iterator[Advance]:
    """A bar on stderr, and what moves it on and shows a note, and what is too long for one `below`.

    already: how much an earlier run has done.
    """
    with _columns(unit) as bar:
        told = time.monotonic()
        line = bar.add_task(doing, total=total, completed=already, already=already, note=note, below="")

        def advance(note: str = "", by: int = 1, below: str = "") -> None:
            nonlocal told
            bar.update(line, advance=by, note=note, below=below)
            if not bar.console.is_terminal and time.monotonic() - told >= EVERY:
                told = time.monotonic()
                bar.console.print(bar.get_renderable())

        yield advance


def _columns(unit: str) -> Progress:
    from rich.console import Console, RenderableType
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    from mmil.first import is_first

    class Bar(Progress):
        """A line a task, and under them what each has to say besides."""

        def get_renderables(self) -> Iterator[RenderableType]:
            yield from super().get_renderables()
            yield from (Text(task.fields["below"], style="dim") for task in self.tasks if task.fields["below"])

    class Rate(ProgressColumn):
        """Work done a second since this bar began."""

        def render(self, task: Task) -> str:
            made = task.completed - task.fields["already"]
            return f"{made / task.elapsed if task.elapsed else 0.0:.1f} {unit}/s"

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True, quiet=not is_first()),
    )
