"""Writing behind the work: where a store answers slowly but many at a time, nobody waits for one request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Result = TypeVar("Result")


class Behind:
    """Does things in threads, up to `at_once` of them, and what follows from each in the thread that asked.

    With 1 all of it happens at once and in order. What fails is raised where the next thing is asked for, or the end.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._pool = ThreadPoolExecutor(at_once) if at_once > 1 else None
        self._late: dict[Future[Any], Callable[[Any], None]] = {}

    def do(self, job: Callable[[], Result], then: Callable[[Result], None]) -> None:
        if self._pool is None:
            return then(job())
        self._late[self._pool.submit(job)] = then
        self._follow(wait_for_one=len(self._late) > self._at_once)

    def finish(self) -> None:
        """Wait until all of it is done, and what followed from it too."""
        while self._late:
            self._follow(wait_for_one=True)

    def close(self) -> None:
        """Begin nothing more, and wait for what has begun."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _follow(self, *, wait_for_one: bool) -> None:
        done, _ = wait(self._late, timeout=None if wait_for_one else 0, return_when=FIRST_COMPLETED)
        for future, then in [(future, self._late.pop(future)) for future in done]:  # whatever follows may ask for more
            then(future.result())
