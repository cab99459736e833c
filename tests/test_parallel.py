"""Work is done once, failures carry their name, and no worker outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmil.contracts import UserError
from mmil.parallel import WorkError, map_unordered, run, standing

ROOT = Path(__file__).parents[1]
both = pytest.mark.parametrize("workers", [1, 2])


class Bench:
    """What a worker works with; says when it is closed."""

    def __init__(self, note: Path) -> None:
        self.note, self.number = note, os.getpid()

    def close(self) -> None:
        with self.note.open("a") as file:
            file.write(f"{self.number}\n")


class Make:
    def __init__(self, note: Path) -> None:
        self.note = note

    def __call__(self) -> Bench:
        return Bench(self.note)


def square(number: int) -> int:
    return number * number


def on_bench(bench: Bench, item: int) -> tuple[int, int]:
    return bench.number, item


def variable(name: str) -> str | None:
    return os.environ.get(name)


def fail(number: int) -> int:
    if number == 3:
        raise ZeroDivisionError("three is one too many")
    return number


def refuse(number: int) -> int:
    raise UserError(f"no {number}; there are none")


def die_once(mark: Path) -> str:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def die(number: int) -> int:
    os._exit(7)


def stop_once(mark: Path) -> str:
    """Neither alive nor dead."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return "alive"


def break_once(mark: Path) -> int:
    if not mark.exists():
        mark.touch()
        raise RuntimeError("the context is lost")
    return os.getpid()


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def doubtful(made: object, item: int) -> str:
    raise RuntimeError("let another one look")


def sure(made: object, item: int) -> str:
    return "seen"


def unpicklable(number: int) -> object:
    return lambda: number


@both
def test_every_item_once(workers):
    assert dict(map_unordered(square, range(9), workers=workers)) == {n: n * n for n in range(9)}


def test_no_items_no_workers():
    assert list(map_unordered(square, [], workers=2)) == []


@both
def test_each_worker_makes_one_thing_and_closes_it(workers, tmp_path):
    note = tmp_path / "closed"
    made = {number for _, (number, _) in run(on_bench, range(6), make=Make(note), workers=workers)}
    assert len(made) <= workers and sorted(map(int, note.read_text().split())) == sorted(made)
    assert (os.getpid() in made) is (workers == 1)


@both
def test_env_is_there_for_the_work_and_gone_afterwards(workers):
    assert dict(map_unordered(variable, ["MMIL_X"], workers=workers, env={"MMIL_X": "1"})) == {"MMIL_X": "1"}
    assert "MMIL_X" not in os.environ


@both
def test_an_exception_names_its_item_and_its_line(workers):
    with pytest.raises(WorkError, match=r"(?s)number 3: .*in fail.*three is one too many"):
        list(map_unordered(fail, range(5), workers=workers, name="number {}".format))


@both
def test_a_user_error_stays_one_line(workers):
    with pytest.raises(UserError, match=r"^no 0; there are none$"):
        list(map_unordered(refuse, [0], workers=workers))


def test_a_worker_that_dies_is_replaced(tmp_path):
    items = [tmp_path / str(n) for n in range(3)]
    assert dict(map_unordered(die_once, items, workers=2)) == dict.fromkeys(items, "alive")


def test_an_item_that_kills_every_worker_is_named():
    with pytest.raises(WorkError, match="episode 5: 3 workers failed at it, and the last one died with exit code 7"):
        list(map_unordered(die, [5], workers=2, name="episode {}".format))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_hangs_is_replaced(workers, tmp_path):
    """A single one too, which then has a process of its own."""
    items = [tmp_path / str(n) for n in range(2)]
    found = dict(run(given, items, make=Given(stop_once), workers=workers, patience=0.5))
    assert found == dict.fromkeys(items, "alive")


def test_an_item_that_hangs_every_worker_is_named():
    with pytest.raises(
        WorkError, match=r"nap 9: 3 workers failed at it, and the last one gave no answer within 0\.2 s"
    ):
        list(run(given, [9], make=Given(nap), patience=0.2, workers=1, name="nap {}".format))


def test_patience_grows_with_what_items_take():
    """The second takes longer than anybody said, and not much longer than the first."""
    assert dict(run(given, [0.15, 0.4], make=Given(nap), patience=0.3, workers=1)) == {0.15: 0.15, 0.4: 0.4}


@both
def test_an_item_that_raises_is_tried_by_a_fresh_worker(workers, tmp_path):
    note, mark = tmp_path / "closed", tmp_path / "mark"
    assert list(run(break_on_bench, [mark], make=Make(note), workers=workers))
    assert len(note.read_text().split()) == (2 if workers == 1 else 1)  # what broke is closed where that can be


def break_on_bench(bench: Bench, mark: Path) -> int:
    return break_once(mark)


@both
def test_the_last_try_may_be_another_task(workers):
    found = dict(run(doubtful, [1], last=sure, make=Given(None), workers=workers))
    assert found == {1: "seen"}


def test_workers_that_never_begin_are_told():
    with pytest.raises(WorkError, match="6 workers in a row ended before they began; the last one died with"):
        list(run(given, range(4), make=Unreadable(), workers=2))


class Given:
    def __init__(self, value: object) -> None:
        self.value = value

    def __call__(self) -> object:
        return self.value


class Unreadable(Given):
    """Breaks whoever unpickles it."""

    def __init__(self) -> None:
        """Nothing to give."""

    def __reduce__(self):
        return (os._exit, (5,))


def given(function, item):
    return function(item)


def test_a_result_that_cannot_travel_is_an_error():
    with pytest.raises(WorkError, match="pickle"):
        list(map_unordered(unpicklable, [1], workers=2))


def test_workers_must_be_positive():
    with pytest.raises(UserError, match="workers is 0"):
        map_unordered(square, [1], workers=0)


SLEEPER = """
import pathlib, sys, time
from mmil.parallel import map_unordered

def nap(path):
    path.touch()
    time.sleep(60)

if __name__ == "__main__":
    beds = [pathlib.Path(sys.argv[2]) / name for name in ("one", "two")]
    list(map_unordered(nap, beds, workers=2, env={"MMIL_SLEEPER": sys.argv[1]}))
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(end, tmp_path):
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    mark = f"{os.getpid()}-{end}"
    command, env = [sys.executable, script, mark, tmp_path], {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(command, env=env, stderr=subprocess.PIPE)
    wait_for(lambda: (tmp_path / "one").exists() and (tmp_path / "two").exists())
    assert len(sleepers(mark)) >= 2
    parent.send_signal(end)
    _, said = parent.communicate(timeout=20)
    wait_for(lambda: not sleepers(mark))
    assert parent.returncode == -end
    assert b"spawn_main" not in said  # no worker complains


def sleepers(mark: str) -> list[str]:
    """Workers (and what they started) of the run with this mark."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"MMIL_SLEEPER={mark}".encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


def wait_for(condition, *, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_standing_crew_stays_between_one_work_and_the_next(workers, tmp_path):
    note = tmp_path / "closed"
    crew = standing(on_bench, make=Make(note), workers=workers)
    first, again = ({number for _, (number, _) in crew.work(iter(range(6)))} for _ in range(2))
    assert first & again and len(first | again) <= workers and os.getpid() not in first and not note.exists()
    crew.close()
    assert set(map(int, note.read_text().split())) <= first | again  # one may have been hired and never needed


def test_a_standing_crew_that_is_left_midway_leaves_nobody_behind(tmp_path):
    crew = standing(on_bench, make=Make(tmp_path / "closed"), workers=1)
    work = crew.work(iter(range(3)))
    _, (number, _) = next(work)
    work.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    assert [item for item, _ in crew.work(iter(range(2)))] == [0, 1]  # others are hired
    crew.close()
