"""Kills a generation again and again, as a machine would: all of it, its first process alone, or one of its workers."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALL, PARENT, WORKER = "all", "parent", "worker"


def kill_again_and_again(
    script: Path, out: Path, *, kills: int, seed: int, longest: float, arguments: Sequence[str] = ()
) -> list[str]:
    """What was killed, `kills` times or until nothing was left to kill.

    The script makes the data set in `out`. A moment is so many files later, and up to `longest` seconds more.
    """
    rng, done = random.Random(seed), list[str]()
    while len(done) < kills and not (out / "manifest.json").exists():
        with _started([sys.executable, str(script), str(out), *arguments]) as process:
            for what in (WORKER, rng.choice([ALL, PARENT])):
                if len(done) == kills or not _more_files(process, out, files=rng.randint(2, 4)):
                    break
                time.sleep(rng.random() * longest)
                if _kill(process, what, rng):
                    done.append(what)
    return done


class _started:
    """A process in a group of its own, of which nothing is left at the end."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command

    def __enter__(self) -> subprocess.Popen:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(self.command, env=env, start_new_session=True, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stderr.fileno(), False)
        return self.process

    def __exit__(self, *_: object) -> None:
        _kill_group(self.process)
        self.process.wait()
        self.process.stderr.close()


def _kill(process: subprocess.Popen, what: str, rng: random.Random) -> bool:
    """Whether there was anything to kill."""
    if process.poll() is not None:
        return False
    if what == ALL:
        _kill_group(process)
    elif what == PARENT:
        process.kill()
    else:
        workers = list(_workers(process.pid))
        if not workers:
            return False
        os.kill(rng.choice(workers), signal.SIGKILL)
    return True


def _kill_group(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _workers(pid: int) -> Iterator[int]:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            yield int(child)


def _more_files(process: subprocess.Popen, out: Path, *, files: int) -> bool:
    """Wait until so many files more (or other) than now stand there; whether they do before it ends."""
    seen, until = set(out.rglob("*")), time.monotonic() + 120
    while len(set(out.rglob("*")) - seen) < files:
        if process.poll() is not None:
            assert process.returncode == 0, process.stderr.read()
            return False
        assert time.monotonic() < until, "no progress"
        time.sleep(0.01)
    return True
