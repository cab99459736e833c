"""robomimic and LIBERO HDF5: read as they are documented, written as their loaders read them, and back unchanged."""

import json

import h5py
import numpy as np
import pytest

from data_tools.convert.conversion import convert
from data_tools.inspect import inspect
from data_tools.verify import verify
from mmil.contracts import DO, Goal, Thing
from mmil.data.dataset import Dataset
from tests.data_tools.foreign import libero, robomimic
from tests.plane import Plane, build, files

KNOWN = {
    "joint_pos": "robot0_joint_pos",
    "joint_vel": "robot0_joint_vel",
    "eef_pos_world": "robot0_eef_pos",
    "eef_quat_xyzw": "robot0_eef_quat_site",
    "gripper_pos": "robot0_gripper_qpos",
    "robot0_eef_quat": "robot0_eef_quat",
}


@pytest.fixture(scope="module")
def lift(tmp_path_factory):
    return robomimic(tmp_path_factory.mktemp("foreign") / "lift.hdf5")


@pytest.fixture(scope="module")
def converted(lift):
    out = lift.with_name("lift")
    convert(source=lift, to="mmil", out=out, episodes_per_shard=2)
    return out


def test_a_robomimic_file_becomes_a_data_set_that_holds(converted):
    assert verify(converted, workers=1) == []
    assert inspect(converted).is_file()
    dataset = Dataset.open(converted)
    assert [row.steps for row in dataset.rows] == [6, 7, 8] and [row.index for row in dataset.rows] == [0, 1, 2]
    assert len({row.seed for row in dataset.rows}) == 3 and not any(row.seed % 2 for row in dataset.rows)
    assert {row.goal for row in dataset.rows} == {Goal(DO, Thing("lift the cube"))}
    spec = dataset.spec
    assert spec.scene == "lift" and spec.control_hz == 20.0 and spec.action[-1] == "gripper"
    assert spec.cameras == {"agentview": (32, 32, 3), "robot0_eye_in_hand": (32, 32, 3)}
    assert set(spec.signals) == set(KNOWN) and spec.privileged == {"object": (10,)}
    assert spec.controller["name"] == "OSC_POSE" and spec.versions == {"robosuite": "1.4.1"}
    assert spec.conventions["action"].startswith("OSC_POSE delta, 1 = 0.05 m / 0.5 rad; gripper -1 open")


def test_every_number_of_the_file_is_where_it_belongs(lift, converted):
    dataset = Dataset.open(converted)
    with h5py.File(lift) as file:
        for number in range(3):
            demo, episode = file[f"data/demo_{number}"], dataset.episode(number)
            for mine, theirs in KNOWN.items():
                array = np.concatenate([demo[f"obs/{theirs}"], demo[f"next_obs/{theirs}"][-1:]])
                assert np.array_equal(episode.signals[mine], array.astype(np.float32)), mine
            assert np.array_equal(episode.actions, demo["actions"][:].astype(np.float32))
            assert np.array_equal(episode.rewards, demo["rewards"][:]) and episode.outcome == "success"
            assert np.array_equal(episode.states[:-1], demo["states"][:])
            for mine, theirs in (("agentview", "agentview_image"), ("robot0_eye_in_hand", "robot0_eye_in_hand_image")):
                assert close(episode.images[mine][:-1], demo[f"obs/{theirs}"][:])
                assert close(episode.images[mine][-1:], demo[f"next_obs/{theirs}"][-1:])


@pytest.mark.parametrize("next_obs", [True, False])
def test_there_and_back_gives_the_file_again(tmp_path, next_obs):
    source = robomimic(tmp_path / "lift.hdf5", next_obs=next_obs)
    convert(source=source, to="mmil", out=tmp_path / "ours")
    convert(source=tmp_path / "ours", to="robomimic", out=tmp_path / "again.hdf5")
    assert_same_file(source, tmp_path / "again.hdf5")


def test_a_demo_without_next_obs_gives_up_its_last_action(tmp_path):
    source = robomimic(tmp_path / "lift.hdf5", next_obs=False)
    done = convert(source=source, to="mmil", out=tmp_path / "ours")
    with h5py.File(source) as file:
        demo, episode = file["data/demo_0"], Dataset.open(tmp_path / "ours").episode(0)
        assert np.array_equal(episode.actions, demo["actions"][:-1].astype(np.float32))
        assert np.array_equal(episode.signals["joint_pos"], demo["obs/robot0_joint_pos"][:].astype(np.float32))
        assert np.array_equal(episode.states, demo["states"][:])
    assert "the last action" in done.notes.kept_aside and episode.success  # its reward came with that action


def test_libero_stands_upright_and_observes_after_acting(tmp_path):
    folder = tmp_path / "libero_goal"
    folder.mkdir()
    libero(folder / "open_demo.hdf5")
    libero(folder / "shut_demo.hdf5", sentence="shut the drawer", seed=5)
    convert(source=folder, to="mmil", out=tmp_path / "ours")
    assert verify(tmp_path / "ours", workers=1) == []
    dataset = Dataset.open(tmp_path / "ours")
    assert [row.instruction for row in dataset.rows] == ["open the drawer"] * 2 + ["shut the drawer"] * 2
    with h5py.File(folder / "open_demo.hdf5") as file:
        demo, episode = file["data/demo_0"], dataset.episode(0)
        assert np.array_equal(episode.actions, demo["actions"][1:].astype(np.float32))
        assert np.array_equal(episode.signals["joint_pos"], demo["obs/joint_states"][:].astype(np.float32))
        assert np.array_equal(episode.states[:-1], demo["states"][1:])
        assert close(episode.images["agentview"], demo["obs/agentview_rgb"][:][:, ::-1])
    assert episode.images["agentview"][0, 0, 0, 0] > episode.images["agentview"][0, -1, 0, 0]  # the bright side is up


def test_libero_there_and_back_gives_the_file_again(tmp_path):
    source = libero(tmp_path / "open_demo.hdf5")
    convert(source=source, to="mmil", out=tmp_path / "ours")
    convert(source=tmp_path / "ours", to="robomimic", out=tmp_path / "again.hdf5")
    assert_same_file(source, tmp_path / "again.hdf5")


@pytest.mark.parametrize("seed", range(4))
def test_odd_dtypes_shapes_and_names_come_back(tmp_path, seed):
    """Numbers of any dtype, single numbers, series, names of any letters."""
    rng, source = np.random.default_rng(seed), robomimic(tmp_path / "a.hdf5")
    kinds = rng.choice(["f2", "f4", "f8", "i1", "i8", "u2", "?", ">f8"], 4)
    shapes = [(), (1,), (4, 6), (2, 3, 2)]
    with h5py.File(source, "a") as file:
        for demo in file["data"].values():
            for i, (kind, shape) in enumerate(zip(kinds, shapes, strict=True)):
                array = np.abs(rng.normal(size=(len(demo["actions"]) + 1, *shape)) * 50).astype(kind)
                demo[f"obs/Größe {i}/x.Y"], demo[f"next_obs/Größe {i}/x.Y"] = array[:-1], array[1:]
    convert(source=source, to="mmil", out=tmp_path / "ours")
    assert verify(tmp_path / "ours", workers=1) == []
    convert(source=tmp_path / "ours", to="robomimic", out=tmp_path / "again.hdf5")
    assert_same_file(source, tmp_path / "again.hdf5")


def test_next_obs_that_is_something_else_is_kept_or_told(tmp_path):
    source = robomimic(tmp_path / "a.hdf5")
    with h5py.File(source, "a") as file:
        file["data/demo_1/next_obs/robot0_joint_vel"][2] += 1
        file["data/demo_1/next_obs/agentview_image"][2] = 7
    done = convert(source=source, to="mmil", out=tmp_path / "ours")
    assert list(done.notes.lost) == ["next_obs/agentview_image"]
    assert "next_obs/robot0_joint_vel" in done.notes.kept_aside
    convert(source=tmp_path / "ours", to="robomimic", out=tmp_path / "again.hdf5")
    with h5py.File(source) as one, h5py.File(tmp_path / "again.hdf5") as other:
        name = "data/demo_1/next_obs/robot0_joint_vel"
        assert np.array_equal(one[name], other[name])


# -- ours to robomimic -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ours") / "plane"
    build(folder, episodes=5, per_shard=2, keep="all")
    return folder


@pytest.fixture(scope="module")
def written(plane):
    out = plane.with_name("plane.hdf5")
    done = convert(source=plane, to="robomimic", out=out)
    assert done.report == plane.with_name("plane.hdf5.conversion.json") and done.report.is_file()
    return out


def test_a_written_file_has_the_documented_layout(plane, written):
    """Field by field, as robomimic's SequenceDataset and get_dataset_info.py read it."""
    dataset = Dataset.open(plane)
    with h5py.File(written, "r", swmr=True, libver="latest") as file:
        demos = sorted(file["data"], key=lambda name: int(name[5:]))
        assert demos == [f"demo_{i}" for i in range(5)]
        args = json.loads(file["data"].attrs["env_args"])
        assert set(args) >= {"env_name", "type", "env_kwargs"} and args["env_kwargs"]["control_freq"] == 20.0
        assert file["data"].attrs["total"] == sum(row.steps for row in dataset.rows)
        for name, row in zip(demos, dataset.rows, strict=True):
            demo, episode = file["data"][name], dataset.episode(row.index)
            assert demo.attrs["num_samples"] == row.steps
            assert json.loads(demo.attrs["ep_meta"]) == {"lang": row.instruction}
            assert np.array_equal(demo["actions"], episode.actions) and np.abs(demo["actions"]).max() <= 1
            assert np.array_equal(demo["rewards"], episode.rewards) and demo["dones"][:].tolist()[-1] == 1
            assert np.array_equal(demo["states"], episode.states[:-1])
            for theirs, frames in {"top_image": episode.images["top"], "side_image": episode.images["side"]}.items():
                assert demo["obs"][theirs].dtype == np.uint8
                assert np.array_equal(demo["obs"][theirs], frames[:-1])
                assert np.array_equal(demo["next_obs"][theirs], frames[1:])
            assert np.array_equal(demo["obs/robot0_eef_pos"], episode.signals["eef_pos_world"][:-1])
            assert np.array_equal(demo["next_obs/wrench"], episode.signals["wrench"][1:])
            assert set(demo) == {"actions", "rewards", "dones", "states", "obs", "next_obs", "mmil"}


def test_ours_come_back_byte_for_byte_and_still_replay(plane, written, tmp_path):
    convert(source=written, to="mmil", out=tmp_path / "back", episodes_per_shard=2)
    one, other = files(plane), files(tmp_path / "back")
    shards = [name for name in one if name.endswith(".tar")]
    assert len(shards) == 3 and all(one[name] == other[name] for name in (*shards, "index.jsonl"))
    there, back = (json.loads(files[name]) for files in (one, other) for name in ["manifest.json"])
    assert back["config"].pop("conversion")["from"] == "robomimic"
    assert there == back
    assert verify(tmp_path / "back", scene=Plane, replay=1.0, workers=1, patience=None) == []


def test_what_somebody_changed_in_the_file_counts(plane, written, tmp_path):
    copy = tmp_path / "copy.hdf5"
    copy.write_bytes(written.read_bytes())
    with h5py.File(copy, "a") as file:
        file["data/demo_0/actions"][0] = 0.125
        file["data/demo_0/obs/top_image"][0, :8, :8] = 255 - file["data/demo_0/obs/top_image"][0, :8, :8]
        del file["data/demo_1/actions"]
        file["data/demo_1/actions"] = np.zeros((2, 3), np.float32)
    done = convert(source=copy, to="mmil", out=tmp_path / "back")
    assert [name for name, _ in done.notes.unfit] == ["demo_1"] and done.episodes == 4
    assert "pictures of top" in done.notes.changed
    before, after = Dataset.open(plane).episode(0), Dataset.open(tmp_path / "back").episode(0)
    assert (after.actions[0] == 0.125).all() and np.array_equal(after.signals["wrench"], before.signals["wrench"])
    assert np.abs(after.images["top"][0, 0, 0].astype(int) - before.images["top"][0, 0, 0]).max() > 30
    assert np.array_equal(after.images["side"], before.images["side"])


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """As near as JPEG leaves pictures."""
    return one.shape == other.shape and np.abs(one.astype(int) - other).mean() < 1.5


def assert_same_file(one, other):
    """All datasets and attributes of `one` are in `other` as they were; pictures as JPEG leaves them."""
    with h5py.File(one) as a, h5py.File(other) as b:

        def compare(path, node):
            twin = b[path]
            for name, value in node.attrs.items():
                assert np.array_equal(twin.attrs[name], value), (path, name)
            if isinstance(node, h5py.Dataset):
                assert node.shape == twin.shape and node.dtype.newbyteorder("=") == twin.dtype, path
                if node.dtype == np.uint8 and node.ndim == 4:
                    assert close(node[:], twin[:]), path
                else:
                    assert np.array_equal(node[:], twin[:]), path

        a.visititems(compare)
        extra = [path for path in all_paths(b) if path not in a and "/mmil" not in path]
        assert extra == []


def all_paths(file):
    found = []
    file.visit(found.append)
    return found
