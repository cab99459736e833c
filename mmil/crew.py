"""Who works at what: items go to workers, and the item of one that failed goes to another.

A worker fails at an item when it dies, hangs, or raises anything but a UserError: its process may be broken, so that it
is ended and its item given to another, TRIES times at most. An item is somebody's or waits, and is answered once.
"""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mmil.contracts import UserError

TRIES = 3  # workers that may fail at an item before we give up
START = 600.0  # [s], for one of the workers to begin; a cluster may have to find a node first
SLACK = 10  # times as long as the slowest item so far: still no reason to think that a worker hangs
Task = Callable[[Any, Any], Any]
Answer = tuple[Literal["ready", "result", "user error", "error", "death"], Any]


class WorkError(Exception):
    """A task failed: the name of its item and the traceback in the last worker, or how that one ended."""


@dataclass(frozen=True)
class Job:
    """What every worker is told. `last`, if any, takes the place of `task` in the last try at an item."""

    task: Task
    make: Callable[[], Any]
    last: Task | None = None


class Bench:
    """A worker's own side of the work: makes what it works with when first needed, and closes it if it can be."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._made: list[Any] = []  # one thing, once it is made

    def do(self, item: Any, *, last: bool) -> Answer:
        try:
            if not self._made:
                self._made.append(self.job.make())
            task = self.job.last if last and self.job.last else self.job.task
            return "result", task(self._made[0], item)
        except UserError as error:
            return "user error", str(error)
        except Exception:
            return "error", traceback.format_exc()

    def close(self) -> None:
        """Again does nothing."""
        while self._made:
            made = self._made.pop()
            if hasattr(made, "close"):
                made.close()


class Worker(ABC):
    """One worker, seen from where the work is given out."""

    @abstractmethod
    def give(self, item: Any, *, last: bool) -> None:
        """Have it work at `item`; whether it is still alive shows in its answer."""

    @abstractmethod
    def answer(self) -> Answer:
        """What it said; once at its start, and once an item. Only after Hall.wait returned it."""

    @abstractmethod
    def dismiss(self) -> None:
        """Let an idle one close what it made, and end."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once, whatever it does; again does nothing."""


class Hall(ABC):
    """Where workers come from."""

    places: int  # workers there is room for, unless somebody asks for more or fewer

    @abstractmethod
    def hire(self) -> Worker:
        """Begin to start one; it answers "ready" once it has."""

    @abstractmethod
    def wait(self, workers: Sequence[Any], seconds: float | None) -> Sequence[Any]:
        """Those of the workers that answered; none if nobody did for so long."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the hall itself holds."""


@dataclass(eq=False)
class _Try:
    """An item, and how many workers failed at it."""

    item: Any
    failures: int = 0


class Crew:
    """The workers of one run, and which item each of them holds."""

    def __init__(self, hall: Hall, *, workers: int, name: Callable[[Any], str], patience: float | None) -> None:
        self.hall, self.most, self.name, self.patience = hall, workers, name, patience
        self.starting: dict[Any, float] = {}  # worker → since when [s]
        self.busy: dict[Any, tuple[_Try, float]] = {}  # worker → with what, since when [s]
        self.idle: list[Any] = []
        self.waiting: deque[_Try] = deque()
        self.slowest = 0.0  # [s], of the items that are done
        self.stillborn = 0  # workers in a row that ended before they began

    def work(self, items: Iterator[Any]) -> Generator[tuple[Any, Any], None, None]:
        """Yield (item, result) as they finish; workers stay for more, unless somebody stops listening midway."""
        self.items, whole = items, False
        try:
            while any([self._occupy_idle(), self._hire_for_what_waits()]) or self.busy:
                for worker, answer in self._answers():
                    done = self._heed(worker, answer)
                    if done is not None:
                        yield done
            whole = True
        finally:
            if not whole:
                self._kill()

    def close(self) -> None:
        """Let everybody close what they made, and end."""
        for worker in self.idle:
            worker.dismiss()
        self._kill()
        self.hall.close()

    def _kill(self) -> None:
        for worker in (*self.starting, *self.busy, *self.idle):
            worker.kill()
        for some in (self.starting, self.busy, self.idle, self.waiting):
            some.clear()

    def _occupy_idle(self) -> bool:
        """Give work to those who have stayed; whether there was any."""
        before = len(self.busy)
        while self.idle and self._pull(1):
            self._occupy(self.idle.pop())
        return len(self.busy) > before

    def _hire_for_what_waits(self) -> bool:
        """Start workers while there is work for them and room; whether any work waits."""
        while self._pull(len(self.starting) + 1) and len(self.starting) + len(self.busy) + len(self.idle) < self.most:
            self.starting[self.hall.hire()] = time.monotonic()
        return bool(self.waiting)

    def _pull(self, count: int) -> bool:
        """Whether `count` items wait, once those are taken that can be."""
        while len(self.waiting) < count:
            try:
                self.waiting.append(_Try(next(self.items)))
            except StopIteration:
                return False
        return True

    def _answers(self) -> list[tuple[Any, Answer]]:
        """Of everybody who said something, and of everybody who should have by now."""
        told = self.hall.wait([*self.starting, *self.busy], self._seconds_left())
        now, limit = time.monotonic(), self._limit()
        late = [w for w, (_, since) in self.busy.items() if limit and w not in told and now - since >= limit]
        if not told and not self.busy:
            raise WorkError(f"no worker began within {START:.0f} s: is there a free place for one?")
        silence: Answer = ("death", f"gave no answer within {limit or 0:.3g} s")
        return [(worker, silence) for worker in late] + [(worker, worker.answer()) for worker in told]

    def _limit(self) -> float | None:
        """[s], after which a worker is taken to hang."""
        return None if self.patience is None else max(self.patience, SLACK * self.slowest)

    def _seconds_left(self) -> float | None:
        limit = self._limit() if self.busy else START
        since = [begun for _, begun in self.busy.values()] or list(self.starting.values())
        return None if limit is None else max(0.0, min(since) + limit - time.monotonic())

    def _heed(self, worker: Any, answer: Answer) -> tuple[Any, Any] | None:
        """Act on an answer; a finished item, if it was that."""
        kind, value = answer
        if worker in self.starting:
            self._begin(worker, how=None if kind == "ready" else value)
            return None
        task, since = self.busy.pop(worker)
        if kind == "result":
            self.slowest = max(self.slowest, time.monotonic() - since)
            self._occupy(worker)  # before the yield: no worker waits for our caller
            return task.item, value
        worker.kill()
        if kind == "user error":
            raise UserError(value)
        self._again(task, how=value if kind == "death" else f"raised\n{value}")
        return None

    def _begin(self, worker: Any, *, how: str | None) -> None:
        del self.starting[worker]
        if how is None:
            self.stillborn = 0
            return self._occupy(worker)
        worker.kill()
        self.stillborn += 1
        if self.stillborn >= TRIES * self.most:
            raise WorkError(f"{self.stillborn} workers in a row ended before they began; the last one {how}")

    def _occupy(self, worker: Any) -> None:
        if not self._pull(1):
            return self.idle.append(worker)
        task = self.waiting.popleft()
        self.busy[worker] = task, time.monotonic()
        worker.give(task.item, last=task.failures == TRIES - 1)

    def _again(self, task: _Try, *, how: str) -> None:
        task.failures += 1
        if task.failures >= TRIES:
            raise WorkError(f"{self.name(task.item)}: {TRIES} workers failed at it, and the last one {how}")
        self.waiting.appendleft(task)
        if self.idle:
            self._occupy(self.idle.pop())
