"""What stands where while a conversion runs, is killed, has no room; and what the command line says of it."""

import random
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_tools.convert.conversion import convert
from data_tools.convert.stage import staged
from mmil.contracts import UserError
from tests.data_tools.foreign import lerobot, libero, robomimic
from tests.data_tools.refusals import refused
from tests.data_tools.test_convert_lerobot import TOLD
from tests.plane import build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return robomimic(tmp_path_factory.mktemp("good") / "lift.hdf5", demos=3)


@pytest.fixture
def lift(good, tmp_path):
    return Path(shutil.copy(good, tmp_path / "lift.hdf5"))


# -- what stands where -------------------------------------------------------------------------------------------------


def test_nothing_is_written_over(lift, tmp_path):
    for out in (tmp_path / "file", tmp_path / "folder"):
        out.mkdir() if out.name == "folder" else out.write_text("mine")
        (out / "mine").write_text("mine") if out.is_dir() else None
        assert "is there already" in refused(lift, out)
    convert(source=lift, to="mmil", out=tmp_path / "made")
    assert "is there already" in refused(lift, tmp_path / "made")
    assert "is mmil already" in refused(tmp_path / "made", tmp_path / "again")
    assert "--pictures says how lerobot keeps them" in refused(lift, tmp_path / "again", pictures="png")
    assert "written by mmil and says it all" in refused(tmp_path / "made", tmp_path / "x", to="lerobot", control_hz=5.0)


def test_two_conversions_do_not_share_an_output(lift, tmp_path):
    with staged(tmp_path / "out"), pytest.raises(UserError, match="another `mmil convert` is writing"):
        convert(source=lift, to="mmil", out=tmp_path / "out")
    assert not list(tmp_path.glob(".out*"))


KILL = """
import os, sys
from data_tools.convert import {module} as module
from data_tools.convert.conversion import convert
add, left = module.{sink}.add, [2]
def dying(self, take):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), 9)
    add(self, take)
module.{sink}.add = dying
from pathlib import Path
convert(source=Path(sys.argv[1]), to={to!r}, out=Path(sys.argv[2]))
"""
SINKS = {
    "mmil": ("to_shards", "ShardSink"),
    "robomimic": ("to_robomimic", "RobomimicSink"),
    "lerobot": ("to_lerobot", "LeRobotSink"),
}


@pytest.mark.parametrize("to", ["mmil", "robomimic", "lerobot"])
def test_a_killed_conversion_leaves_nothing_that_looks_finished(lift, tmp_path, to):
    source = lift
    if to == "robomimic":
        source = tmp_path / "plane"
        build(source, episodes=4)
    out, whole = tmp_path / "out", tmp_path / "whole"
    module, sink = SINKS[to]
    code = KILL.format(module=module, sink=sink, to=to)
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(out)], cwd=ROOT, capture_output=True, timeout=60
    )
    assert done.returncode == -9 and not out.exists() and (tmp_path / ".out.partial").is_dir()
    convert(source=source, to=to, out=out)
    convert(source=source, to=to, out=whole)
    assert not (tmp_path / ".out.partial").exists()
    if to == "mmil":
        names = sorted(path.name for path in out.iterdir())
        assert all((out / name).read_bytes() == (whole / name).read_bytes() for name in names) and len(names) == 5


def test_a_full_disk_is_one_line(lift, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("data_tools.convert.to_shards.encode_episode", full)
    assert "No space left on device; nothing half-written was left" in refused(lift)


def test_memory_does_not_grow_with_episodes(tmp_path):
    peaks = []
    for demos in (2, 12):
        source = robomimic(tmp_path / f"{demos}.hdf5", demos=demos, rows=2)
        tracemalloc.start()
        convert(source=source, to="lerobot", out=tmp_path / f"out{demos}", pictures="png")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0] + (2 << 20), peaks


def test_the_command_line_says_how_it_went(lift, tmp_path):
    def mmil(*arguments):
        command = [sys.executable, "-m", "mmil.cli", "convert", *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    with h5py.File(lift, "a") as file:
        file["data/demo_1/actions"][0] = np.nan
    done = mmil(lift, "--to", "mmil", "--out", tmp_path / "out")
    assert done.returncode == 0 and "quarantined: lift.hdf5/demo_1: actions hold a NaN" in done.stdout
    assert "2 episodes, 14 steps, 1 quarantined; report:" in done.stdout and "next: mmil verify" in done.stdout
    with h5py.File(lift, "a") as file:
        for demo in file["data"].values():
            demo["actions"][0] = np.nan
    done = mmil(lift, "--to", "mmil", "--out", tmp_path / "none")
    assert done.returncode == 1 and "nothing could be carried over: 3 quarantined" in done.stdout
    done = mmil(lift, "--to", "zarr", "--out", tmp_path / "none")
    assert done.returncode == 2 and "lerobot" in done.stderr and not (tmp_path / "none").exists()


def sources(folder: Path) -> dict[str, tuple[Path, dict]]:
    """One small source of each kind, and what must be said of it."""
    ours = folder / "ours"
    build(ours, episodes=2)
    convert(source=ours, to="robomimic", out=folder / "own.hdf5")
    convert(source=ours, to="lerobot", out=folder / "own", pictures="png")
    return {
        "robomimic": (robomimic(folder / "a.hdf5", demos=2, rows=2), {}),
        "libero": (libero(folder / "b.hdf5", rows=3), {}),
        "lerobot": (lerobot(folder / "c"), TOLD),
        "own hdf5": (folder / "own.hdf5", {}),
        "own lerobot": (folder / "own", {}),
    }


def test_altered_bytes_never_come_as_a_traceback(tmp_path, monkeypatch):
    """A few of the mutations that were tried by the hundred: refused, quarantined or harmless, whatever they hit."""
    monkeypatch.setattr("data_tools.convert.hdf5.PATIENCE", 3.0)
    (tmp_path / "good").mkdir()
    outcomes = set()
    for kind, (source, options) in sources(tmp_path / "good").items():
        for seed in range(6):
            rng, folder = random.Random(f"{kind}{seed}"), tmp_path / f"{kind}{seed}"
            folder.mkdir()
            copy = shutil.copytree if source.is_dir() else shutil.copy
            spoil(Path(copy(source, folder / source.name)), rng)
            try:
                done = convert(source=folder / source.name, to="mmil", out=folder / "out", **options)
                outcomes.add("quarantined" if done.notes.unfit else "harmless")
                assert (folder / "out").exists() == (done.episodes > 0)
            except UserError:
                outcomes.add("refused")
                assert not (folder / "out").exists()
    assert outcomes == {"quarantined", "harmless", "refused"}


def spoil(path: Path, rng: random.Random) -> None:
    """Change some bytes of one of its files, or cut it."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    victim = rng.choice(files)
    data = bytearray(victim.read_bytes())
    for _ in range(rng.choice([1, 3, 20, 200])):
        data[rng.randrange(len(data))] = rng.choice([0, 255, rng.randrange(256)])
    victim.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.15 else data)
