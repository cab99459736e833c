"""Killed anywhere, or out of disk, and started again: the bytes of an undisturbed run."""

import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from tests.plane import Plane, build, copy, files

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """What an undisturbed run with one worker makes."""
    folder = tmp_path_factory.mktemp("reference") / "plane"
    build(folder)
    return folder


def test_killed_before_any_step_of_the_file_system(tmp_path):
    """Die before the first, second, third … change to the folder; every time the next run ends with the same bytes."""
    few = {"episodes": 3, "per_shard": 2}
    build(tmp_path / "whole", **few)
    moments, expected = 0, files(tmp_path / "whole")
    while not finished_alive(tmp_path / str(moments), die_at=moments, **few):
        build(tmp_path / str(moments), **few)
        assert files(tmp_path / str(moments)) == expected, f"killed before change {moments}"
        moments += 1
    assert moments > 25


def test_killed_again_and_again(reference, tmp_path):
    """A run that dies after every few changes still gets there."""
    rounds = 0
    while not finished_alive(tmp_path / "out", die_at=16):
        rounds += 1
        assert rounds < 40
    assert rounds > 1 and files(tmp_path / "out") == files(reference)


def finished_alive(out: Path, *, die_at: int, **options) -> bool:
    """Generate in a child that is killed (as by SIGKILL) before its change number `die_at`."""
    child = os.fork()
    if child == 0:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        for name in ("fsync", "replace", "unlink", "rmdir"):
            setattr(os, name, Countdown(getattr(os, name)))
        Countdown.left = die_at
        try:
            build(out, **options)
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code == 0


class Countdown:
    left = 0

    def __init__(self, change):
        self.change = change

    def __call__(self, *args, **options):
        if Countdown.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        Countdown.left -= 1
        return self.change(*args, **options)


def test_leftovers_and_torn_parts_are_cleared(reference, tmp_path):
    assert not finished_alive(tmp_path, die_at=12)
    part = max((tmp_path / ".parts").glob("*.part"))
    os.truncate(part, part.stat().st_size - 700)
    (tmp_path / ".parts" / ".000005.part.77.tmp").write_bytes(b"torn")
    (tmp_path / ".manifest.json.77.tmp").write_bytes(b"torn")
    build(tmp_path)
    assert files(tmp_path) == files(reference)


def test_a_damaged_shard_is_not_built_upon(tmp_path):
    assert not finished_alive(tmp_path, die_at=20)
    os.truncate(tmp_path / "episodes-000000.tar", 5000)
    with pytest.raises(UserError, match=r"episodes-000000\.tar is damaged: it has 5000 bytes of \d+; remove it"):
        build(tmp_path)


def test_a_damaged_record_is_told_with_what_mends_it(reference, tmp_path):
    assert not finished_alive(tmp_path, die_at=20)
    record = tmp_path / ".parts" / "episodes-000000.tar.json"
    record.write_bytes(record.read_bytes()[:50])
    with pytest.raises(
        UserError, match=r"episodes-000000\.tar\.json is damaged \(.*\): remove its shard, and run again"
    ):
        build(tmp_path)
    (tmp_path / "episodes-000000.tar").unlink()
    build(tmp_path)
    assert files(tmp_path) == files(reference)


def test_a_shard_nobody_knows_of_is_not_built_upon(reference, tmp_path):
    folder = copy(reference, tmp_path / "out")
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"episodes-000000\.tar is not of this run, or what \.parts knew of it is lost"):
        build(folder)
    assert files(folder).keys() == files(reference).keys() - {"manifest.json"}


def test_a_second_generator_is_refused(tmp_path):
    class Nosy(Plane):
        def reset(self, seed):
            with pytest.raises(UserError, match="another `mmil` is writing"):
                build(tmp_path / "out")
            return super().reset(seed)

    build(tmp_path / "out", scene=Nosy)


def test_another_version_of_the_scene_is_not_mixed_in(tmp_path):
    class Newer(Plane):
        spec = replace(Plane.spec, versions={"numpy": "99"})

    assert not finished_alive(tmp_path, die_at=12)
    with pytest.raises(UserError, match="begun with another scene: versions"):
        build(tmp_path, scene=Newer)


# -- a full disk -------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 KiB, where this machine lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_keeps_what_is_whole(reference, small_disk, workers):
    out = small_disk / "out"
    with pytest.raises(UserError, match="No space left on device; nothing half-written was left"):
        build(out, workers=workers)
    assert not list(out.rglob("*.tmp")) and not (out / "manifest.json").exists()
    whole = {name: data for name, data in files(out).items() if name.endswith(".tar")}
    assert all(files(reference)[name] == data for name, data in whole.items())
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    assert build(out, workers=workers).made < 7
    assert files(out) == files(reference)


def test_a_file_that_may_not_grow_is_not_left_half(reference, tmp_path):
    """The same without root: no file may be larger than 60 kB, so parts fit and shards do not."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        try:
            build(tmp_path / "out")
        except UserError as error:
            os._exit(3 if "File too large" in str(error) else 4)
        os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert not list((tmp_path / "out").rglob("*.tmp")) and not list((tmp_path / "out").glob("*.tar"))
    assert len(list((tmp_path / "out" / ".parts").glob("*.part"))) == 3
    build(tmp_path / "out")
    assert files(tmp_path / "out") == files(reference)


# -- the real thing ----------------------------------------------------------------------------------------------------

TABLETOP = """
import functools, pathlib, sys
from data_tools.generate import generate
from mmil.experts import Lift
from mmil.scenes.tabletop import Tabletop

def tabletop(out, workers):
    scene = functools.partial(Tabletop, image_size=(48, 48))
    numbers = {"episodes": 4, "episodes_per_shard": 2, "seed": 3, "horizon": 80, "patience": None}
    return generate(scene=scene, actor=Lift, out=pathlib.Path(out), workers=int(workers), **numbers)

if __name__ == "__main__":
    tabletop(*sys.argv[1:])
"""


def test_tabletop_killed_with_two_workers_ends_like_one_worker(tmp_path):
    (tmp_path / "script.py").write_text(TABLETOP)
    command, env = [sys.executable, tmp_path / "script.py"], {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, tmp_path / "whole", "1"], env=env, check=True, capture_output=True)
    killed = subprocess.Popen(
        [*command, tmp_path / "out", "2"], env=env, start_new_session=True, stderr=subprocess.DEVNULL
    )
    while not list((tmp_path / "out").rglob("*.part")):
        assert killed.poll() is None
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "out" / "manifest.json").exists()
    subprocess.run([*command, tmp_path / "out", "1"], env=env, check=True, capture_output=True)
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert Dataset.open(tmp_path / "out").spec.scene == "tabletop"
