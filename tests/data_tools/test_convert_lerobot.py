"""LeRobotDataset v3.0: read as it is documented, written as its loader reads it, and back unchanged."""

import io
import json
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from data_tools.convert.conversion import convert
from data_tools.convert.lerobot_stats import Totals, number_stats, picture_stats
from data_tools.inspect import inspect
from data_tools.verify import verify
from mmil.data.dataset import Dataset
from tests.data_tools.foreign import LENGTHS, MOTORS, SIDE_VIEW, TASKS, TOP, film, lerobot, robomimic
from tests.plane import Plane, build, files

TOLD = {
    "outcome": "success",
    "actions": "scale",
    "conventions": {"action": "absolute joint angles [deg]"},
}


class Loader:
    """What lerobot's DatasetReader does: rows from data_path, frames from video_path at from_timestamp + timestamp."""

    def __init__(self, root: Path) -> None:
        self.root, self.info = root, json.loads((root / "meta/info.json").read_text())
        self.stats = json.loads((root / "meta/stats.json").read_text())
        tasks = pq.read_table(root / "meta/tasks.parquet")
        index = json.loads(tasks.schema.metadata[b"pandas"])["index_columns"]
        assert index == ["task"]  # pandas.read_parquet makes it the index, which lerobot looks sentences up in
        pairs = zip(tasks.column("task_index").to_pylist(), tasks.column("task").to_pylist(), strict=True)
        self.tasks = dict(pairs)
        paths = sorted((root / "meta/episodes").glob("*/*.parquet"))
        self.episodes = pa.concat_tables(pq.read_table(path) for path in paths).to_pylist()

    def episode(self, number: int) -> dict:
        """Columns of an episode as arrays, "task", and frames of every camera, uint8 (N, h, w, 3)."""
        row = self.episodes[number]
        assert row["episode_index"] == number
        place = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        table = pq.read_table(self.root / self.info["data_path"].format(**place))
        table = table.filter(pa.compute.equal(table.column("episode_index"), number))
        assert len(table) == row["length"] == row["dataset_to_index"] - row["dataset_from_index"]
        assert table.column("index").to_pylist() == [*range(row["dataset_from_index"], row["dataset_to_index"])]
        found = {}
        for name, feature in self.info["features"].items():
            if feature["dtype"] == "video":
                found[name] = self._film(row, name, table.column("timestamp").to_numpy())
            elif feature["dtype"] == "image":
                pictures = [np.asarray(Image.open(io.BytesIO(one["bytes"]))) for one in table.column(name).to_pylist()]
                found[name] = np.stack(pictures)
            else:
                found[name] = np.array(table.column(name).to_pylist())
                shape = [] if feature["shape"] == [1] else feature["shape"]
                assert list(found[name].shape[1:]) == shape, name
        found["task"] = [self.tasks[number] for number in found["task_index"]]
        assert list(dict.fromkeys(found["task"])) == row["tasks"]
        return found

    def _film(self, row: dict, name: str, times: np.ndarray) -> np.ndarray:
        at = f"videos/{name}/"
        place = {"chunk_index": row[f"{at}chunk_index"], "file_index": row[f"{at}file_index"]}
        with av.open(str(self.root / self.info["video_path"].format(video_key=name, **place))) as container:
            stream = container.streams.video[0]
            frames = [(float(f.pts * stream.time_base), f.to_ndarray(format="rgb24")) for f in container.decode(stream)]
        wanted = row[f"{at}from_timestamp"] + times.astype(float)
        near = [min(range(len(frames)), key=lambda i, t=time: abs(frames[i][0] - t)) for time in wanted]
        assert max(abs(frames[i][0] - time) for i, time in zip(near, wanted, strict=True)) < 1e-4  # its tolerance_s
        assert row[f"{at}to_timestamp"] == pytest.approx(row[f"{at}from_timestamp"] + row["length"] / self.info["fps"])
        return np.stack([frames[i][1] for i in near])


# -- theirs to ours ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    return lerobot(tmp_path_factory.mktemp("foreign") / "bricks")


@pytest.fixture(scope="module")
def converted(theirs):
    out = theirs.with_name("ours")
    convert(source=theirs, to="mmil", out=out, **TOLD)
    return out


def test_a_lerobot_data_set_becomes_one_of_ours(theirs, converted):
    assert verify(converted, workers=1) == []
    assert inspect(converted).is_file()
    dataset, loader = Dataset.open(converted), Loader(theirs)
    assert [row.steps for row in dataset.rows] == [length - 1 for length in LENGTHS]
    assert [row.instruction for row in dataset.rows] == [TASKS[0], TASKS[1], TASKS[0]]
    spec = dataset.spec
    assert spec.scene == "so101_follower" and spec.control_hz == 10.0 and spec.action == tuple(MOTORS)
    assert spec.conventions["action"] == "absolute joint angles [deg]"
    scale = spec.controller["action_scale"]
    for number in range(3):
        there, episode = loader.episode(number), dataset.episode(number)
        assert np.array_equal(episode.signals["state"], there["observation.state"].astype(np.float32))
        degrees = episode.actions * np.array(scale["half"]) + np.array(scale["center"])
        assert np.allclose(degrees, there["action"][:-1], atol=1e-4) and np.abs(episode.actions).max() <= 1
        assert np.abs(episode.images["side"].astype(int) - there[SIDE_VIEW]).mean() < 1.5
        assert np.abs(episode.images["top"].astype(int) - there[TOP]).mean() < 2.5


def test_there_and_back_gives_the_columns_again(theirs, converted, tmp_path):
    convert(source=converted, to="lerobot", out=tmp_path / "again", pictures="png")
    there, back = Loader(theirs), Loader(tmp_path / "again")
    assert there.info["fps"] == back.info["fps"] and there.info["robot_type"] == back.info["robot_type"]
    assert set(there.info["features"]) == set(back.info["features"]) and there.tasks == back.tasks
    for name in ("observation.state", "action", "remark", "phase"):
        assert there.info["features"][name] == back.info["features"][name]
    for number in range(3):
        one, other = there.episode(number), back.episode(number)
        for name in set(one) - {TOP, SIDE_VIEW}:
            assert np.array_equal(one[name], other[name]), name
        assert np.abs(one[SIDE_VIEW].astype(int) - other[SIDE_VIEW]).mean() < 1.5
        assert np.abs(one[TOP].astype(int) - other[TOP]).mean() < 2.5


def test_ours_of_theirs_comes_back_the_same(converted, tmp_path):
    convert(source=converted, to="lerobot", out=tmp_path / "again", pictures="jpeg")
    convert(source=tmp_path / "again", to="mmil", out=tmp_path / "back")
    shard = "episodes-000000.tar"
    assert (converted / shard).read_bytes() == (tmp_path / "back" / shard).read_bytes()


def test_from_hdf5_straight_to_lerobot_and_back(tmp_path):
    source = robomimic(tmp_path / "lift.hdf5")
    convert(source=source, to="lerobot", out=tmp_path / "lift", pictures="png")
    one = Loader(tmp_path / "lift").episode(1)
    assert one["task"] == ["lift the cube"] * 7 and one["next.success"].tolist() == [False] * 6 + [True]
    convert(source=tmp_path / "lift", to="robomimic", out=tmp_path / "again.hdf5")
    import h5py

    with h5py.File(source) as a, h5py.File(tmp_path / "again.hdf5") as b:
        for name in ("obs/robot0_eef_pos", "obs/agentview_image", "actions", "actions_abs", "next_obs/object", "dones"):
            assert np.array_equal(a[f"data/demo_1/{name}"], b[f"data/demo_1/{name}"]), name
            assert a[f"data/demo_1/{name}"].dtype == b[f"data/demo_1/{name}"].dtype, name


# -- ours to theirs ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ours") / "plane"
    build(folder, episodes=5, per_shard=2, keep="all")
    return folder


@pytest.fixture(scope="module", params=["video", "png", "jpeg"])
def written(request, plane):
    out = plane.with_name(f"plane_{request.param}")
    done = convert(source=plane, to="lerobot", out=out, pictures=request.param)
    assert done.report == out / "meta/mmil/conversion.json" and done.report.is_file()
    return out


def test_a_written_data_set_has_the_documented_layout(plane, written):
    dataset, loader = Dataset.open(plane), Loader(written)
    info, kind = loader.info, written.name.partition("_")[2]
    steps = sum(row.steps for row in dataset.rows)
    assert info["codebase_version"] == "v3.0" and info["fps"] == 20 and type(info["fps"]) is int
    assert (info["total_episodes"], info["total_frames"]) == (5, steps) and info["splits"] == {"train": "0:5"}
    assert info["total_tasks"] == len(loader.tasks) and (info["video_path"] is None) == (kind != "video")
    assert all("/" not in name for name in info["features"])
    for row in dataset.rows:
        there, episode = loader.episode(row.index), dataset.episode(row.index)
        assert np.array_equal(there["observation.state"], episode.signals["eef_pos_world"][:-1])
        assert np.array_equal(there["observation.wrench"], episode.signals["wrench"][:-1])
        assert np.array_equal(there["action"], episode.actions) and there["task"] == [row.instruction] * row.steps
        assert np.array_equal(there["next.reward"], episode.rewards)
        assert there["next.done"].tolist() == [False] * (row.steps - 1) + [True]
        assert there["next.success"][-1] == episode.success
        assert np.allclose(there["timestamp"], np.arange(row.steps) / 20, atol=1e-6)
        for camera, frames in episode.images.items():
            shown = there[f"observation.images.{camera}"]
            assert shown.shape == frames[:-1].shape
            assert np.abs(shown.astype(int) - frames[:-1]).mean() < (4.0 if kind == "video" else 1e-9)


def test_a_written_table_is_typed_as_hugging_face_types_it(written):
    schema = pq.read_schema(written / "data/chunk-000/file-000.parquet")
    assert schema.field("action").type == pa.list_(pa.float32(), 3)
    assert schema.field("observation.wrench").type == pa.list_(pa.list_(pa.float32()))
    assert schema.field("timestamp").type == pa.float32() and schema.field("task_index").type == pa.int64()
    told = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert told["action"] == {"feature": {"dtype": "float32", "_type": "Value"}, "length": 3, "_type": "Sequence"}
    assert told["observation.wrench"] == {"shape": [4, 6], "dtype": "float32", "_type": "Array2D"}
    if not written.name.endswith("video"):
        image = schema.field("observation.images.top").type
        assert image == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        assert told["observation.images.top"] == {"_type": "Image"}
    groups = pq.ParquetFile(written / "data/chunk-000/file-000.parquet").metadata.num_row_groups
    assert groups == 5  # one an episode


def test_statistics_are_those_of_the_columns(written):
    loader = Loader(written)
    every = [loader.episode(number) for number in range(5)]
    actions = np.concatenate([one["action"] for one in every])
    assert np.allclose(loader.stats["action"]["mean"], actions.mean(0), atol=1e-6)
    assert np.allclose(loader.stats["action"]["std"], actions.std(0), atol=1e-6)
    assert loader.stats["action"]["max"] == actions.max(0).tolist() and loader.stats["action"]["count"] == [
        len(actions)
    ]
    for name in ("mean", "std", "min", "max", "q01", "q99"):
        assert np.array(loader.stats["observation.images.top"][name]).shape == (3, 1, 1)
    own = loader.episodes[1]
    assert np.allclose(own["stats/action/q50"], np.quantile(every[1]["action"], 0.5, axis=0), atol=1e-6)
    assert np.array(own["stats/observation.images.top/mean"]).shape == (3, 1, 1) and own["stats/index/count"] == [len(
        every[1]["index"]
    )]  # fmt: skip


def test_statistics_agree_with_numpy_over_episodes():
    rng, totals = np.random.default_rng(0), Totals()
    parts = [rng.normal(size=(size, 5, 3)) for size in (1, 4, 9)]
    shots = [film(rng, size) for size in (1, 4, 9)]
    for part, shot in zip(parts, shots, strict=True):
        totals.add({"a": number_stats(part), "b": picture_stats(shot)})
    whole, shown = np.concatenate(parts).reshape(-1, 3), np.concatenate(shots).reshape(-1, 3) / 255
    for name, rows in (("a", whole), ("b", shown)):
        found = {key: np.array(value).reshape(-1) for key, value in totals.to_json()[name].items()}
        for key in ("mean", "std", "min", "max"):
            assert np.allclose(found[key], getattr(rows, key)(axis=0)), (name, key)


def test_ours_come_back(plane, written, tmp_path):
    """Byte for byte where pictures are the shard's own; else all but the pictures, which are as near as they can be."""
    done = convert(source=written, to="mmil", out=tmp_path / "back", episodes_per_shard=2)
    one, other = files(plane), files(tmp_path / "back")
    kind = written.name.partition("_")[2]
    if kind == "jpeg":
        assert all(one[name] == other[name] for name in one if name.endswith((".tar", ".jsonl")))
        assert verify(tmp_path / "back", scene=Plane, replay=1.0, workers=1, patience=None) == []
    there, back = Dataset.open(plane), Dataset.open(tmp_path / "back")
    assert there.spec == back.spec and there.manifest["sentences"] == back.manifest["sentences"]
    for row in there.rows:
        a, b = there.episode(row.index), back.episode(row.index)
        told = ("seed", "goal", "instruction", "outcome", "things", "draws", "measures")
        assert all(getattr(a, name) == getattr(b, name) for name in told)
        assert all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("actions", "labels", "rewards"))
        assert np.array_equal(a.states, b.states) and np.array_equal(
            a.privileged["body_poses"], b.privileged["body_poses"]
        )
        assert all(np.array_equal(a.signals[name], b.signals[name]) for name in a.signals)
        worst = {"video": 5.0, "png": 0.5, "jpeg": 0.0}[kind]
        assert all(np.abs(a.images[c].astype(int) - b.images[c]).mean() <= worst for c in a.images)
    if kind == "video":
        told = json.loads((written / "meta/mmil/conversion.json").read_text())["pictures"]["top"]
        assert 25 < told["psnr_db"] < 45 and "H.264" in told["how"] and done.notes.pictures


def test_a_column_that_somebody_changed_counts(plane, tmp_path):
    convert(source=plane, to="lerobot", out=tmp_path / "there", pictures="jpeg")
    path = tmp_path / "there/data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    reach = np.array(table.column("observation.state").to_pylist(), np.float32) + np.float32(0.25)
    column = pa.FixedSizeListArray.from_arrays(pa.array(reach.reshape(-1)), 3)
    pq.write_table(
        table.set_column(table.schema.get_field_index("observation.state"), "observation.state", column), path
    )
    done = convert(source=tmp_path / "there", to="mmil", out=tmp_path / "back")
    before, after = Dataset.open(plane).episode(2), Dataset.open(tmp_path / "back").episode(2)
    assert "signals/eef_pos_world" in done.notes.changed
    assert np.allclose(after.signals["eef_pos_world"][:-1], before.signals["eef_pos_world"][:-1] + 0.25)
