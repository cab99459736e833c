"""Hostile and damaged LeRobotDatasets: a reason each, and nothing half-written."""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_tools.convert.conversion import convert
from data_tools.convert.films import FilmReader
from data_tools.convert.takes import Unfit
from tests.data_tools.foreign import LENGTHS, SIDE_VIEW, TOP, lerobot, mp4, write_json
from tests.data_tools.refusals import quarantined, refused
from tests.data_tools.test_convert_lerobot import TOLD
from tests.plane import build


@pytest.fixture(scope="module")
def good_folder(tmp_path_factory):
    return lerobot(tmp_path_factory.mktemp("good") / "bricks")


@pytest.fixture
def bricks(good_folder, tmp_path):
    return Path(shutil.copytree(good_folder, tmp_path / "bricks"))


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


def test_what_mmil_wrote_beside_the_layout_can_be_damaged(tmp_path):
    build(tmp_path / "plane", episodes=3, per_shard=1)
    source = tmp_path / "there"
    convert(source=tmp_path / "plane", to="lerobot", out=source, pictures="jpeg", episodes_per_shard=1)
    shard = source / "meta/mmil/episodes-000001.tar"
    data = bytearray(shard.read_bytes())
    data[600:700] = bytes(100)
    shard.write_bytes(data)
    done = convert(source=source, to="mmil", out=tmp_path / "out")
    assert len(done.notes.unfit) == 1 and done.episodes == 2
    os.truncate(shard, 700)
    assert "truncated" in refused(source, tmp_path / "again")
    shutil.rmtree(source / "meta/mmil")
    line = refused(source, tmp_path / "again")  # then it is anybody's, and says what anybody's says
    assert "--conventions.action" in line and "--conventions.quaternion" not in line and "--outcome" not in line
