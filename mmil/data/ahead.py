"""The next items made in a thread while this one is used: reading from files leaves the interpreter free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
PATIENCE = 0.1  # [s] between two looks at whether anybody still wants the items
END = object()


def ahead(items: Iterable[Item], *, most: int = 2) -> Iterator[Item]:
    """The same items in the same order, up to `most` of them made before they are asked for."""
    ready: Queue[Any] = Queue(maxsize=most)
    gone = Event()

    def put(item: Any) -> bool:
        while not gone.is_set():
            try:
                ready.put(item, timeout=PATIENCE)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
            put((END, None))
        except BaseException as error:  # raised where the item would have been used
            put((END, error))

    thread = Thread(target=work, daemon=True, name="ahead")
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is END:
                return
            yield item
    finally:
        gone.set()
        while thread.is_alive():
            try:
                ready.get_nowait()
            except Empty:
                thread.join(PATIENCE)
