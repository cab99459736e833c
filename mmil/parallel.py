"""Map work over processes of this machine.

    for item, result in run(task, items, make=Kitchen, workers=4): ...    # result = task(kitchen, item)

Each worker is a fresh process (spawn: GL contexts and torch do not survive a fork) that calls `make` once and keeps
what it gets, so that an expensive scene is built once a worker. A worker that dies (a crash in a driver, the kernel
short of memory) is replaced and its item tried again. Workers end with their parent, however that ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from multiprocessing import connection, resource_tracker
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

from mmil.contracts import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
Task = Callable[[Any, Item], Result]
Pipe = Any  # multiprocessing.connection.Connection; its stubs say less than it does

DEATHS = 3  # times an item may take its worker with it before we give up
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ONE_THREAD |= {"LP_NUM_THREADS": "0"}  # mesa's renderer: in the thread that asks; 1 would be another one to wait for


class WorkError(Exception):
    """A task failed: the name of its item and the traceback in the worker."""


def simulation_env() -> dict[str, str]:
    """What a process that simulates and renders should find: one thread a library, and EGL unless told otherwise."""
    return {**ONE_THREAD, "MUJOCO_GL": os.environ.get("MUJOCO_GL") or "egl"}


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    task: Task[Item, Result],
    items: Iterable[Item],
    *,
    make: Callable[[], Any],
    workers: int | None = None,
    env: Mapping[str, str] | None = None,
    name: Callable[[Item], str] = str,
) -> Generator[tuple[Item, Result], None, None]:
    """Yield (item, task(made, item)) as they finish; 1 worker works in this process, None means one a core.

    `env` is set before a worker imports anything. A UserError in a task arrives as it is; anything else as a
    WorkError that holds the traceback and `name(item)`. What `make` returned is closed at the end if it can be.
    """
    workers = available_cores() if workers is None else workers
    if workers < 1:
        raise UserError(f"workers is {workers}; it must be 1 or more")
    if workers == 1:
        return _here(task, items, make=make, env=env or {}, name=name)
    return _Crew(task, make=make, env=env or {}, name=name).work(iter(items), workers)


def map_unordered(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    env: Mapping[str, str] | None = None,
    name: Callable[[Item], str] = str,
) -> Generator[tuple[Item, Result], None, None]:
    """Yield (item, function(item)) as they finish; see run."""
    return run(_call, items, make=_Given(function), workers=workers, env=env, name=name)


class _Given:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        return self.value


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    return function(item)


def _here(
    task: Any, items: Iterable[Any], *, make: Any, env: Mapping[str, str], name: Any
) -> Generator[Any, None, None]:
    made = _Made(make)
    with _environment(env):
        try:
            for item in items:
                try:
                    result = task(made.get(), item)
                except UserError:
                    raise
                except Exception as error:
                    raise WorkError(f"{name(item)}: {traceback.format_exc()}") from error
                yield item, result
        finally:
            made.close()


class _Made:
    """What a worker works with: made when first needed, closed if it can be."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: list[Any] = []  # one thing, once it is made

    def get(self) -> Any:
        if not self._made:
            self._made.append(self._make())
        return self._made[0]

    def close(self) -> None:
        for made in self._made:
            if hasattr(made, "close"):
                made.close()


class _Crew:
    """The workers of one run, and which item each of them holds."""

    def __init__(self, task: Any, *, make: Any, env: Mapping[str, str], name: Any) -> None:
        self.task, self.make, self.env, self.name = task, make, env, name
        self.processes: dict[Pipe, Any] = {}
        self.items: dict[Pipe, Any] = {}
        self.deaths: dict[Pipe, int] = {}  # of the item that the worker holds

    def work(self, items: Iterator[Any], workers: int) -> Generator[tuple[Any, Any], None, None]:
        try:
            for _, item in zip(range(workers), items, strict=False):
                self._hire(item, deaths=0)
            while self.items:
                for pipe in connection.wait(list(self.items)):
                    done = self._listen(pipe)
                    if done is not None:
                        self._next(pipe, items)  # before the yield: no worker waits for our caller
                        yield done
            self._dismiss()
        finally:
            self._kill()

    def _hire(self, item: Any, *, deaths: int) -> None:
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_serve, args=(theirs, self.task, self.make), daemon=True)
        with _environment(self.env), _interrupts_blocked():
            process.start()
        theirs.close()  # ours reports the end of file as soon as the worker is gone
        self.processes[ours] = process
        self._give(ours, item, deaths=deaths)

    def _give(self, pipe: Pipe, item: Any, *, deaths: int) -> None:
        self.items[pipe], self.deaths[pipe] = item, deaths
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: _listen will notice
            pipe.send((item,))

    def _next(self, pipe: Pipe, items: Iterator[Any]) -> None:
        for item in items:
            return self._give(pipe, item, deaths=0)

    def _listen(self, pipe: Pipe) -> tuple[Any, Any] | None:
        item = self.items.pop(pipe)
        try:
            kind, value = pipe.recv()
        except (EOFError, OSError):
            kind, value = "death", None
        if kind == "death":
            self._replace(pipe, item)
            return None
        if kind == "result":
            return item, value
        raise UserError(value) if kind == "user error" else WorkError(f"{self.name(item)}: {value}")

    def _replace(self, pipe: Pipe, item: Any) -> None:
        process, deaths = self.processes.pop(pipe), self.deaths.pop(pipe) + 1
        pipe.close()
        process.join()
        if deaths >= DEATHS:
            raise WorkError(f"{self.name(item)}: its worker died {deaths} times, last with {_end(process.exitcode)}")
        self._hire(item, deaths=deaths)

    def _dismiss(self) -> None:
        for pipe in self.processes:
            with contextlib.suppress(OSError):
                pipe.send(None)
        for process in self.processes.values():
            process.join(timeout=10)

    def _kill(self) -> None:
        for process in self.processes.values():
            process.kill()
        for pipe, process in self.processes.items():
            process.join()
            pipe.close()


def _serve(pipe: Pipe, task: Any, make: Any) -> None:
    """The life of a worker."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    made = _Made(make)
    while (message := pipe.recv()) is not None:
        try:
            answer = ForkingPickler.dumps(("result", task(made.get(), message[0])))
        except UserError as error:
            answer = ForkingPickler.dumps(("user error", str(error)))
        except Exception:
            answer = ForkingPickler.dumps(("error", traceback.format_exc()))
        pipe.send_bytes(answer)
    made.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    connection.wait([parent.sentinel])
    os._exit(1)


def _end(exitcode: int) -> str:
    return signal.Signals(-exitcode).name if exitcode < 0 else f"exit code {exitcode}"


@contextlib.contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in env}
    os.environ.update(env)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Children inherit the mask: Ctrl-C reaches the parent alone, which then ends them without their tracebacks."""
    resource_tracker.ensure_running()  # it unblocks interrupts when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
