"""Workers on this machine: this very process, or fresh ones that end with their parent, however that ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import connection, resource_tracker
from multiprocessing.reduction import ForkingPickler
from typing import Any

from mmil.crew import Answer, Bench, Hall, Job, Worker

Pipe = Any  # multiprocessing.connection.Connection; its stubs say less than it does
PARTING = 10.0  # [s], for a worker that is dismissed to close what it made


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Here(Hall):
    """One worker: whoever asks for the answers."""

    places = 1

    def __init__(self, job: Job, *, env: Mapping[str, str]) -> None:
        self._job, self._env = job, env

    def hire(self) -> _Own:
        return _Own(self._job, self._env)

    def wait(self, workers: Sequence[_Own], seconds: float | None) -> Sequence[_Own]:
        return workers

    def close(self) -> None:
        """It holds nothing."""


class _Own(Worker):
    def __init__(self, job: Job, env: Mapping[str, str]) -> None:
        self._bench, self._env = Bench(job), env
        self._given: tuple[Any, bool] | None = None

    def give(self, item: Any, *, last: bool) -> None:
        self._given = item, last

    def answer(self) -> Answer:
        if self._given is None:
            return "ready", None
        (item, last), self._given = self._given, None
        with _environment(self._env):
            return self._bench.do(item, last=last)

    def dismiss(self) -> None:
        """Nothing that kill() does not do."""

    def kill(self) -> None:
        with contextlib.suppress(Exception):  # what failed may fail again when it is closed
            self._bench.close()


class Processes(Hall):
    """A fresh process a worker (spawn: GL contexts and torch do not survive a fork)."""

    def __init__(self, job: Job, *, env: Mapping[str, str]) -> None:
        self._job, self._env, self.places = job, env, available_cores()

    def hire(self) -> _Process:
        return _Process(self._job, self._env)

    def wait(self, workers: Sequence[_Process], seconds: float | None) -> Sequence[_Process]:
        pipes = {worker.pipe: worker for worker in workers}
        return [pipes[pipe] for pipe in connection.wait(list(pipes), seconds)]  # type: ignore[index]

    def close(self) -> None:
        """It holds nothing; its workers end with this process."""


class _Process(Worker):
    def __init__(self, job: Job, env: Mapping[str, str]) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve, args=(theirs, job), daemon=True)
        self._parting = 0.0
        with _environment(env), _interrupts_blocked():
            self._process.start()
        theirs.close()  # ours reports the end of file as soon as the worker is gone

    def give(self, item: Any, *, last: bool) -> None:
        self._send((item, last))

    def answer(self) -> Answer:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            return "death", f"died with {_end(self._process.exitcode)}"

    def dismiss(self) -> None:
        self._parting = PARTING
        self._send(None)

    def kill(self) -> None:
        self._process.join(self._parting)
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def _send(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: its answer will say so
            self.pipe.send(message)


def _serve(pipe: Pipe, job: Job) -> None:
    """The life of a worker."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    bench = Bench(job)
    pipe.send(("ready", None))
    while (message := pipe.recv()) is not None:
        item, last = message
        answer = bench.do(item, last=last)
        try:
            data = ForkingPickler.dumps(answer)
        except Exception as error:
            data = ForkingPickler.dumps(("error", f"its result cannot travel: {error!r}"))
        pipe.send_bytes(data)
    bench.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    connection.wait([parent.sentinel])
    os._exit(1)


def _end(exitcode: int | None) -> str:
    return signal.Signals(-exitcode).name if exitcode and exitcode < 0 else f"exit code {exitcode}"


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
