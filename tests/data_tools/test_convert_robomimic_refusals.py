"""Hostile and damaged HDF5, and questions that only a person can answer: a reason each, and nothing half-written."""

import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_tools.convert import hdf5
from data_tools.convert.conversion import convert
from data_tools.verify import verify
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from tests.data_tools.foreign import robomimic
from tests.data_tools.refusals import quarantined, refused
from tests.plane import build


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return robomimic(tmp_path_factory.mktemp("good") / "lift.hdf5", demos=3)


@pytest.fixture
def lift(good, tmp_path):
    return Path(shutil.copy(good, tmp_path / "lift.hdf5"))


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
            demo["obs/nobody_depth"] = np.zeros((rows, 32, 32, 1), np.float32)
            demo["obs/chw_image"] = np.zeros((rows, 3, 32, 32), np.uint8)
            demo["obs/words"] = ["a"] * rows
    done = convert(source=lift, to="mmil", out=lift.parent / "out")
    assert sorted(done.notes.lost) == ["obs/chw_image", "obs/nobody_depth", "obs/words"] and done.episodes == 3
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


def test_lerobot_has_whole_frames_a_second(lift):
    with h5py.File(lift, "a") as file:
        args = json.loads(file["data"].attrs["env_args"])
        args["env_kwargs"]["control_freq"] = 12.5
        file["data"].attrs["env_args"] = json.dumps(args)
    assert "LeRobot's fps is a whole number" in refused(lift, to="lerobot")


def test_a_library_that_hangs_or_dies_is_not_waited_for(lift, monkeypatch):
    """libhdf5 loops for ever in some damaged heaps, and dies in others; here it is made to."""
    import time

    monkeypatch.setattr(hdf5, "PATIENCE", 0.2)
    monkeypatch.setattr(hdf5, "_visit", lambda *_: time.sleep(30))
    assert "lift.hdf5 is damaged: the HDF5 library does not come back from it" in refused(lift)
    monkeypatch.setattr(hdf5, "_visit", lambda *_: os.kill(os.getpid(), 9))
    assert "lift.hdf5 is damaged: the HDF5 library dies of it (signal 9)" in refused(lift)


def test_what_mmil_wrote_beside_the_layout_can_be_damaged(tmp_path):
    build(tmp_path / "plane", episodes=3)
    source = tmp_path / "plane.hdf5"
    convert(source=tmp_path / "plane", to="robomimic", out=source)
    with h5py.File(source, "a") as file:
        file["data/demo_0"].attrs["mmil"] = "{"
        del file["data/demo_1/mmil/jpeg/top"]
        file["data/demo_2/mmil/jpeg_sizes/top"][0] = 1 << 40
    done = convert(source=source, to="mmil", out=tmp_path / "out")
    assert [name for name, _ in done.notes.unfit] == ["demo_0", "demo_2"] and done.episodes == 1
    with h5py.File(source, "a") as file:
        file["data"].attrs["mmil"] = json.dumps({"spec": {}})
    with pytest.raises(UserError, match="the attribute mmil of data is damaged"):
        convert(source=source, to="mmil", out=tmp_path / "again")
