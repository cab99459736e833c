"""One look for the progress bars of this room: how far, how fast, how long still."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    """Work done a second since this bar began."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        made = task.completed - task.fields["already"]
        rate = made / task.elapsed if task.elapsed and made else 0.0
        return Text(f"{rate:.2f} {self.unit}/s")


def progress_bar(unit: str) -> Progress:
    """A bar on stderr with columns for `note`; tasks need the fields `note` and `already` (done by an earlier run)."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
