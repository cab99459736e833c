"""Hostile and damaged files, and questions that only a person can answer: a reason each, and nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import cv2
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_tools.convert.conversion import convert
from data_tools.convert.films import FilmReader
from data_tools.convert.stage import staged
from data_tools.convert.takes import Unfit
from data_tools.verify import verify
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from tests.data_tools.foreign import LENGTHS, SIDE_VIEW, TOP, lerobot, mp4, robomimic, write_json
from tests.data_tools.test_convert_lerobot import TOLD
from tests.plane import build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return robomimic(tmp_path_factory.mktemp("good") / "lift.hdf5", demos=3)


@pytest.fixture
def lift(good, tmp_path):
    return Path(shutil.copy(good, tmp_path / "lift.hdf5"))


@pytest.fixture(scope="module")
def good_folder(tmp_path_factory):
    return lerobot(tmp_path_factory.mktemp("good") / "bricks")


@pytest.fixture
def bricks(good_folder, tmp_path):
    return Path(shutil.copytree(good_folder, tmp_path / "bricks"))


def refused(source, out=None, **options) -> str:
    """The one line that is said, after making sure that nothing was written."""
    out = out or source.parent / "out"
    before = sorted(source.parent.iterdir())
    with pytest.raises(UserError) as error:
        convert(**{"source": source, "to": "mmil", "out": out, **options})
    assert sorted(source.parent.iterdir()) == before and "\n" not in str(error.value)
    return str(error.value)


def quarantined(source, **options) -> dict[str, str]:
    """{episode: reason}; the others must have come through and hold."""
    out = source.parent / "out"
    done = convert(source=source, to="mmil", out=out, **options)
    assert done.episodes + len(done.notes.unfit) == 3
    if done.episodes:
        assert verify(out, workers=1) == [] and len(Dataset.open(out)) == done.episodes
        told = json.loads((out / "conversion.json").read_text())["quarantined"]
        assert told == [{"episode": name, "reason": reason} for name, reason in done.notes.unfit]
    else:
        assert not out.exists() and done.report is None
    return {name.rpartition("/")[2]: reason for name, reason in done.notes.unfit}


# -- robomimic: an episode that is bad ---------------------------------------------------------------------------------


def replace(demo, name, value, **options):
    del demo[name]
    return demo.create_dataset(name, data=value, **options)


def nan(demo):
    demo["obs/robot0_joint_pos"][2, 3] = np.nan


def infinite(demo):
    demo["actions"][1] = np.inf


def beyond_float32(demo):
    demo["obs/robot0_joint_vel"][1, 1] = 1e300


def far(demo):
    demo["obs/robot0_joint_pos"][1, 1] = 900.0


def blank(demo):
    demo["obs/agentview_image"][3] = 0


def short_signal(demo):
    replace(demo, "obs/robot0_eef_pos", np.zeros((3, 3)))


def other_size(demo):
    rows = len(demo["actions"])
    for kind in ("obs", "next_obs"):
        replace(demo, f"{kind}/agentview_image", np.zeros((rows, 84, 84, 3), np.uint8))


def objects(demo):
    replace(demo, "actions", ["a", "b"], dtype=h5py.string_dtype())


def no_rows(demo):
    for name in ("actions", "states", "rewards", "dones"):
        replace(demo, name, demo[name][:0])
    for kind in ("obs", "next_obs"):
        for name in list(demo[kind]):
            replace(demo, f"{kind}/{name}", demo[f"{kind}/{name}"][:0])
    demo.attrs["num_samples"] = 0


def hollow(demo):
    del demo["obs/object"]
    demo.create_dataset("obs/object", shape=(7, 10), dtype="f8", chunks=(7, 10))


def enormous(demo):
    del demo["actions"]
    demo.create_dataset("actions", shape=(1 << 40, 7), dtype="f8", chunks=(1024, 7), compression="gzip")
    demo["actions"][:2] = 0.5


def external_link(demo):
    del demo["obs/object"]
    demo["obs/object"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(demo):
    del demo["actions"]
    demo["actions"] = h5py.SoftLink("/data/demo_0/actions")


def elsewhere(demo):
    del demo["states"]
    demo.create_dataset("states", shape=(7, 4), dtype="f8", external=[("/etc/passwd", 0, 7 * 4 * 8)])


def virtual(demo):
    layout = h5py.VirtualLayout(shape=(7, 10), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "data", shape=(7, 10))
    del demo["obs/object"]
    demo.create_virtual_dataset("obs/object", layout)


BAD = {
    nan: "joint_pos holds a NaN or an infinity",
    infinite: "actions hold a NaN or an infinity",
    beyond_float32: "joint_vel holds a NaN or an infinity",
    far: "signal joint_pos reaches 900, more than 6.78",
    blank: "camera 'agentview' shows a single colour at instant 3",
    short_signal: "obs/robot0_eef_pos has shape (3, 3), actions has 7 rows",
    other_size: "(84, 84, 3)",
    objects: "actions has shape (2,), expected (N, A)",
    no_rows: "says it has the shape|too short: 0 rows",
    hollow: "says it has the shape (7, 10), but nothing is stored of it",
    enormous: "num_samples says 7, actions has 1099511627776 rows",
    external_link: "is an external link; mmil follows none",
    soft_link: "is a soft link; mmil follows none",
    elsewhere: "lies in other files",
    virtual: "lies in other files",
    lambda demo: demo.__delitem__("actions"): "has no actions; there are action_dict, actions_abs, dones",
    lambda demo: demo.__delitem__("obs"): "robomimic's dataset_states_to_obs.py makes them of states",
    lambda demo: demo.attrs.__setitem__("num_samples", 99): "num_samples says 99, actions has 7 rows",
    lambda demo: demo.__delitem__(
        "next_obs/object"
    ): None,  # then next_obs says too little to use: the other way is taken
}


@pytest.mark.parametrize(("spoil", "reason"), BAD.items(), ids=[getattr(one, "__name__", "") for one in BAD])
def test_a_bad_demo_is_quarantined_and_the_rest_goes_on(lift, spoil, reason):
    with h5py.File(lift, "a") as file:
        spoil(file["data/demo_1"])
    found = quarantined(lift)
    if reason is None:
        assert found == {}
    else:
        assert list(found) == ["demo_1"] and any(part in found["demo_1"] for part in reason.split("|")), found


def test_a_damaged_chunk_costs_its_demo(lift):
    with h5py.File(lift, "a") as file:
        rows = file["data/demo_2/obs/object"][:]
        packed = replace(file["data/demo_2"], "obs/object", rows, compression="gzip", fletcher32=True)
        place = packed.id.get_chunk_info(0)
    data = bytearray(lift.read_bytes())
    data[place.byte_offset + place.size // 2] ^= 0xFF
    lift.write_bytes(data)
    assert "cannot be read" in quarantined(lift)["demo_2"]


def test_numbers_without_a_place_are_told_and_the_rest_comes(lift):
    with h5py.File(lift, "a") as file:
        for demo in file["data"].values():
            rows = len(demo["actions"])
            demo["obs/agentview_depth"] = np.zeros((rows, 32, 32, 1), np.float32)
            demo["obs/chw_image"] = np.zeros((rows, 3, 32, 32), np.uint8)
            demo["obs/words"] = ["a"] * rows
    done = convert(source=lift, to="mmil", out=lift.parent / "out")
    assert sorted(done.notes.lost) == ["obs/agentview_depth", "obs/chw_image", "obs/words"] and done.episodes == 3
    assert "not numbers" in done.notes.lost["obs/words"] and "channels first" in done.notes.lost["obs/chw_image"]


def test_when_nothing_is_left_nothing_is_written(lift):
    with h5py.File(lift, "a") as file:
        for demo in file["data"].values():
            demo["actions"][0] = np.nan
    assert len(quarantined(lift)) == 3


# -- robomimic: a file that is no use ----------------------------------------------------------------------------------


def test_every_open_question_is_asked_in_one_line(lift):
    with h5py.File(lift, "a") as file:
        del file["data"].attrs["env_args"]
        for demo in file["data"].values():
            del demo["rewards"]
    line = refused(lift)
    asked = ("--control_hz", "--conventions.action", "--conventions.quaternion", "--row0", "--instruction", "--outcome")
    assert all(name in line for name in asked), line
    told = {"action": "unknown", "quaternion": "wxyz"}
    answers = {"control_hz": 10.0, "row0": "bottom", "instruction": "lift it", "outcome": "success"}
    convert(source=lift, to="mmil", out=lift.parent / "out", conventions=told, **answers)
    dataset = Dataset.open(lift.parent / "out")
    assert dataset.spec.control_hz == 10 and dataset.spec.conventions["quaternion"] == "wxyz"
    assert dataset.episode(0).rewards.tolist() == [0] * 5 + [1] and dataset.rows[0].instruction == "lift it"
    assert dataset.episode(0).images["agentview"][0, 0, 0, 0] < 160  # turned: the bright side was on top


def test_what_the_file_says_cannot_be_contradicted(lift):
    assert "the source says 20 Hz, --control_hz 10" in refused(lift, control_hz=10.0)
    assert "the source itself says its action" in refused(lift, conventions={"action": "joint torques"})


@pytest.mark.parametrize("mode", ["clip", "scale"])
def test_actions_beyond_one_need_a_word(lift, mode):
    with h5py.File(lift, "a") as file:
        file["data/demo_0/actions"][2, 0] = 2.5
    assert "actions that reach 2.5" in refused(lift)
    convert(source=lift, to="mmil", out=lift.parent / "out", actions=mode)
    assert verify(lift.parent / "out", workers=1) == []
    convert(source=lift.parent / "out", to="robomimic", out=lift.parent / "again.hdf5")
    with h5py.File(lift) as one, h5py.File(lift.parent / "again.hdf5") as other:
        assert np.array_equal(one["data/demo_0/actions"], other["data/demo_0/actions"])


@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_a_file_that_was_cut_short(lift, share):
    os.truncate(lift, int(share * lift.stat().st_size))
    assert "damaged or cut short" in refused(lift)


def test_files_that_are_something_else(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["observations/qpos"] = np.zeros(3)
    assert "has no group data" in refused(tmp_path / "a.hdf5")
    (tmp_path / "b.hdf5").write_text("no")
    assert "is none of" in refused(tmp_path / "b.hdf5")
    assert "there is nothing at" in refused(tmp_path / "c.hdf5")


def test_files_of_a_folder_must_agree_and_lie_in_it(good, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    shutil.copy(good, folder / "a.hdf5")
    robomimic(folder / "b.hdf5", control_freq=50)
    assert "disagree about their control rate: 20.0 in a.hdf5, 50.0 in b.hdf5" in refused(folder)
    (folder / "b.hdf5").unlink()
    (folder / "b.hdf5").symlink_to(good)
    assert "is a link out of" in refused(folder)


# -- LeRobot: an episode that is bad -----------------------------------------------------------------------------------


@contextmanager
def table_of(root, number=0):
    """A data file as a dictionary of lists, written back changed."""
    path = root / f"data/chunk-000/file-{number:03d}.parquet"
    table = pq.read_table(path)
    columns = table.to_pydict()
    yield columns
    pq.write_table(pa.table(columns, schema=table.schema), path)


def change(name, row, value):
    def spoil(root):
        with table_of(root) as columns:
            columns[name][row] = value

    return spoil


def slow(root):
    with table_of(root) as columns:
        columns["timestamp"][LENGTHS[0] :] = [0.2 * i for i in range(LENGTHS[1])]


def fewer(root):
    with table_of(root) as columns:
        for name in columns:
            del columns[name][-1]


def cut_film(root):
    path = root / f"videos/{TOP}/chunk-000/file-000.mp4"
    os.truncate(path, path.stat().st_size // 2)


def short_film(root):
    rows = np.arange(32, dtype=np.uint8)[:, None, None]
    mp4(root / f"videos/{TOP}/chunk-000/file-000.mp4", np.zeros((9, 32, 32, 3), np.uint8) + rows, 10)


def other_film(root):
    mp4(root / f"videos/{TOP}/chunk-000/file-000.mp4", np.zeros((12, 64, 48, 3), np.uint8), 10)


def cut_table(root):
    path = root / "data/chunk-000/file-000.parquet"
    os.truncate(path, path.stat().st_size - 40)


def no_column(root):
    path = root / "data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["observation.state"]), path)


def bomb(root):
    data = bytearray(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    change(SIDE_VIEW, 8, {"bytes": bytes(data), "path": "frame-000001.png"})(root)


def leave(root):
    path = root / "data/chunk-000/file-000.parquet"
    shutil.move(path, root.parent / "outside.parquet")
    path.symlink_to(root.parent / "outside.parquet")


ONE, BOTH = ["episode 1"], ["episode 0", "episode 1"]
BAD_ROWS = {
    "nan": (change("observation.state", 8, [np.nan] * 4), ONE, "state holds a NaN"),
    "infinite": (change("action", 8, [np.inf] * 4), ONE, "actions hold a NaN or an infinity"),
    "null": (change("action", 8, None), BOTH, "cannot be read"),  # pyarrow gives up the whole file
    "null task": (change("task_index", 8, None), ONE, "rows without a value"),
    "frame_index": (change("frame_index", 8, 40), ONE, "frame_index does not count from 0"),
    "slow": (slow, ONE, "timestamps are 0.2 s apart and 0.4 s off; fps 10 says 0.1 s"),
    "fewer": (fewer, ONE, "it has 4 rows, meta/episodes says 5"),
    "cut film": (cut_film, BOTH, "damaged or cut short"),
    "short film": (short_film, ONE, "has no frame at 0.9000 s; it ends before"),
    "other film": (other_film, BOTH, "file-000.mp4 is 64×48, the feature says (32, 32, 3)"),
    "no film": (lambda root: (root / f"videos/{TOP}/chunk-000/file-000.mp4").unlink(), BOTH, "file-000.mp4"),
    "cut table": (cut_table, BOTH, "damaged or cut short"),
    "no table": (lambda root: (root / "data/chunk-000/file-000.parquet").unlink(), BOTH, "file-000.parquet"),
    "no column": (no_column, BOTH, "has no column observation.state; it has"),
    "bomb": (bomb, ONE, "a picture of 60000×60000 where the data set says 32×32"),
    "no picture": (change(SIDE_VIEW, 8, {"bytes": b"GIF89a", "path": "a"}), ONE, "neither PNG nor JPEG"),
    "only named": (change(SIDE_VIEW, 8, {"bytes": None, "path": "/etc/passwd"}), ONE, "only names files"),
    "leave": (leave, BOTH, "leads out of"),
}


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_a_bad_episode_is_quarantined_and_the_rest_goes_on(bricks, kind):
    spoil, which, reason = BAD_ROWS[kind]
    spoil(bricks)
    found = quarantined(bricks, **TOLD)
    assert sorted(found) == which and all(reason in one for one in found.values()), found


# -- LeRobot: a data set that is no use --------------------------------------------------------------------------------


def told(**changes):
    def spoil(root):
        info = json.loads((root / "meta/info.json").read_text())
        for name, value in changes.items():
            info.pop(name) if value is None else info.__setitem__(name, value)
        write_json(root / "meta/info.json", info)

    return spoil


def lie(name, value):
    def spoil(root):
        path = root / "meta/episodes/chunk-000/file-000.parquet"
        rows = pq.read_table(path).to_pylist()
        pq.write_table(pa.Table.from_pylist([{**row, name: value} for row in rows]), path)

    return spoil


def cut_episodes(root):
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    os.truncate(path, path.stat().st_size // 2)


USELESS = {
    "version": (told(codebase_version="v2.1"), "is of version 'v2.1'; mmil reads v3.0: lerobot's convert_dataset"),
    "fps": (told(fps=None), "has no fps; it has codebase_version"),
    "no fps": (told(fps=0), "says 0 frames a second"),
    "count": (told(total_episodes=9), "lists 3 episodes, meta/info.json says 9"),
    "features": (told(features={}), "the features have no vector action"),
    "shape": (told(features={"action": {"dtype": "float32", "shape": [1 << 40]}}), "no proper dtype and shape"),
    "json": (lambda root: (root / "meta/info.json").write_text("{"), "cannot be read"),
    "episodes": (cut_episodes, "damaged or cut short"),
    "no episodes": (lambda root: shutil.rmtree(root / "meta/episodes"), "holds no parquet file"),
    "tasks": (lambda root: (root / "meta/tasks.parquet").unlink(), "tasks.parquet"),
}


@pytest.mark.parametrize("kind", USELESS)
def test_a_useless_data_set_is_refused(bricks, kind):
    spoil, reason = USELESS[kind]
    spoil(bricks)
    assert reason in refused(bricks, **TOLD)


TEMPLATES = [
    "../outside-{file_index}.parquet",
    "/etc/passwd",
    "data/{chunk_index.__class__}",
    "data/{chunk_index:999999999d}",
    "data/{elsewhere}",
    "data/{0}",
    "data/{",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_path_template_leads_nowhere_else(bricks, template):
    told(data_path=template)(bricks)
    done = convert(source=bricks, to="mmil", out=bricks.parent / "out", **TOLD)
    assert done.episodes == 0 and len(done.notes.unfit) == 3
    assert all("leads out of" in reason or "path template" in reason for _, reason in done.notes.unfit)


@pytest.mark.parametrize("name", ["length", "data/file_index", "dataset_from_index"])
def test_episodes_that_lie_about_where_they_are(bricks, name):
    lie(name, 1 << 50)(bricks)
    done = convert(source=bricks, to="mmil", out=bricks.parent / "out", **TOLD)
    assert done.episodes == 0 and len(done.notes.unfit) == 3


def test_a_film_whose_header_lies_is_not_decoded(tmp_path):
    mp4(tmp_path / "a.mp4", np.zeros((3, 32, 32, 3), np.uint8), 10)
    with pytest.raises(Unfit, match="the feature says"):
        FilmReader(tmp_path / "a.mp4", (16, 16, 3)).read(0.0, 3, fps=10)


def test_lerobot_has_whole_frames_a_second(lift):
    with h5py.File(lift, "a") as file:
        args = json.loads(file["data"].attrs["env_args"])
        args["env_kwargs"]["control_freq"] = 12.5
        file["data"].attrs["env_args"] = json.dumps(args)
    assert "LeRobot's fps is a whole number" in refused(lift, to="lerobot")


# -- what stands where -------------------------------------------------------------------------------------------------


def test_nothing_is_written_over(lift, tmp_path):
    for out in (tmp_path / "file", tmp_path / "folder"):
        out.mkdir() if out.name == "folder" else out.write_text("mine")
        (out / "mine").write_text("mine") if out.is_dir() else None
        assert "is there already" in refused(lift, out)
    convert(source=lift, to="mmil", out=tmp_path / "made")
    assert "is there already" in refused(lift, tmp_path / "made")
    assert "is mmil already" in refused(tmp_path / "made", tmp_path / "again")
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
    for demos in (3, 30):
        source = robomimic(tmp_path / f"{demos}.hdf5", demos=demos, rows=4)
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
