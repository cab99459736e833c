"""What is written comes back, byte for byte; what was tampered with does not."""

import io
import json
import os
import tarfile

import numpy as np
import pytest

from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.data.sample import complete, decode_sample, encode_episode, split_members
from mmil.data.shards import END_OF_ARCHIVE, assemble, file_sha256, scan, write_atomic
from mmil.rollout import rollout
from tests.plane import Plane, Reach, Wander, build, copy


@pytest.fixture(scope="module")
def episode():
    return rollout(
        Plane(windy=0), Reach(), expert=Wander(), seed=4, horizon=24, instruction=lambda goal, _: f"gib {goal} ü"
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "plane"
    build(folder)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return copy(finished, tmp_path / "copy")


def test_an_episode_comes_back(episode):
    part = encode_episode(episode, attempts=2)
    assert len(part) % 512 == 0
    key, members = split_members(part)
    back = decode_sample(members)
    assert key == episode.key == f"plane-{4:020d}"
    assert json.loads(members["json"])["attempts"] == 2
    for name in ("seed", "goal", "instruction", "split", "outcome", "draws", "measures", "quality", "provenance"):
        assert getattr(back, name) == getattr(episode, name)
    for name in ("actions", "labels", "rewards", "states"):
        assert (getattr(back, name) == getattr(episode, name)).all()
        assert getattr(back, name).dtype == getattr(episode, name).dtype
    assert {name: array.shape for name, array in back.signals.items()} == {
        name: array.shape for name, array in episode.signals.items()
    }
    for camera, frames in episode.images.items():
        assert np.abs(back.images[camera].astype(int) - frames).mean() < 3  # RGB stays RGB


def test_episodes_of_before_measures_and_provenance_are_read(episode):
    _, members = split_members(encode_episode(episode, attempts=1))
    about = {k: v for k, v in json.loads(members["json"]).items() if k not in ("measures", "provenance")}
    back = decode_sample({**members, "json": json.dumps(about).encode()})
    assert back.measures == back.provenance == {} and back.goal == episode.goal


def test_the_same_episode_gives_the_same_bytes(episode):
    again = rollout(Plane(windy=0), Reach(), expert=Wander(), seed=4, horizon=24, instruction=episode.instruction)
    assert encode_episode(again, attempts=1) == encode_episode(episode, attempts=1)


def test_headers_hold_no_time_and_no_user(episode):
    with tarfile.open(fileobj=io.BytesIO(encode_episode(episode, attempts=1))) as tar:
        members = list(tar)
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o644)}
    suffixes = [m.name.partition(".")[2] for m in members]
    assert suffixes[:3] == ["json", "npz", "top.0000.jpg"] and len(suffixes) == 2 + 2 * len(episode.states)


def test_a_sample_without_a_frame_is_not_complete(episode):
    _, members = split_members(encode_episode(episode, attempts=1))
    assert complete(members)
    members.pop("side.0001.jpg")
    assert not complete(members)


def test_names_that_webdataset_would_change_are_refused(episode):
    from dataclasses import replace

    with pytest.raises(ValueError, match=r"Front\.1"):
        encode_episode(replace(episode, images={"Front.1": episode.images["top"]}), attempts=1)


def test_a_shard_is_its_parts_and_knows_where_they_lie(episode, tmp_path):
    parts = []
    for number in range(3):
        parts.append(tmp_path / f"{number}.part")
        other = rollout(Plane(), Wander(), seed=2 * number, horizon=3 + number)
        parts[-1].write_bytes(encode_episode(other, attempts=1))
    shard = tmp_path / "episodes-000000.tar"
    assemble(shard, parts)
    assert shard.read_bytes() == b"".join(part.read_bytes() for part in parts) + END_OF_ARCHIVE
    rows = scan(shard, first=6)
    assert [row.index for row in rows] == [6, 7, 8] and [row.seed for row in rows] == [0, 2, 4]
    for row, part in zip(rows, parts, strict=True):
        assert shard.read_bytes()[row.offset : row.offset + row.size] == part.read_bytes()


def test_a_failed_write_leaves_nothing(tmp_path):
    def chunks():
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="No space left"):
        write_atomic(tmp_path / "file", chunks())
    assert list(tmp_path.iterdir()) == []


def test_any_episode_of_a_data_set(finished):
    dataset = Dataset.open(finished)
    dataset.verify_checksums()
    assert len(dataset) == 7 and [path.name for path in dataset.shard_paths][-1] == "episodes-000002.tar"
    for index in (6, 0, 4):
        episode = dataset.episode(index)
        row = dataset.rows[index]
        assert (episode.key, episode.instruction, len(episode.actions)) == (row.key, row.instruction, row.steps)
    assert dataset.spec == Plane.spec


def test_webdataset_reads_the_shards(finished):
    import webdataset as wds

    dataset = Dataset.open(finished)
    stream = wds.WebDataset([str(path) for path in dataset.shard_paths], shardshuffle=False, empty_check=False)
    samples = list(stream)
    assert [sample["__key__"] for sample in samples] == [row.key for row in dataset.rows]
    there, here = decode_sample(samples[3]), dataset.episode(3)
    assert (there.images["side"] == here.images["side"]).all() and there.goal == here.goal


def test_a_truncated_shard_is_named(folder):
    shard = folder / "episodes-000001.tar"
    os.truncate(shard, shard.stat().st_size - 4096)
    with pytest.raises(UserError, match=r"episodes-000001\.tar has \d+ bytes, the manifest says \d+"):
        Dataset.open(folder)


def test_a_shard_truncated_while_it_is_read_is_named(folder):
    dataset = Dataset.open(folder)
    os.truncate(folder / "episodes-000001.tar", 9000)
    with pytest.raises(UserError, match=r"episodes-000001\.tar is truncated: it ends inside episode 4"):
        dataset.episode(4)


@pytest.mark.parametrize("place", [10, 600, 1500, 30000])
def test_a_flipped_bit_is_found(folder, place):
    shard = folder / "episodes-000000.tar"
    data = bytearray(shard.read_bytes())
    data[place] ^= 4
    shard.write_bytes(data)
    with pytest.raises(UserError, match=r"episodes-000000\.tar has sha256 \w+…, the manifest says \w+…: altered"):
        Dataset.open(folder).verify_checksums()


def test_altered_bytes_are_refused_in_one_line(folder):
    """Whatever is flipped, decoding says so or gives an episode; nothing else comes out."""
    shard = folder / "episodes-000000.tar"
    good, rng = shard.read_bytes(), np.random.default_rng(0)
    dataset, row = Dataset.open(folder), Dataset.open(folder).rows[0]
    for _ in range(60):
        data = bytearray(good)
        data[int(rng.integers(row.size))] ^= 1 << int(rng.integers(8))
        shard.write_bytes(data)
        try:
            dataset.episode(0)
        except UserError as error:
            assert "episodes-000000.tar is altered at episode 0" in str(error)


def test_arrays_are_never_unpickled(folder):
    dataset = Dataset.open(folder)
    members = dataset.sample(0)
    buffer = io.BytesIO()
    np.savez(buffer, actions=np.array([Bomb()], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        decode_sample({**members, "npz": buffer.getvalue()})
    assert not Bomb.exploded


class Bomb:
    exploded = False

    def __setstate__(self, state):
        Bomb.exploded = True

    def __getstate__(self):
        return {"armed": True}


def test_unfinished_and_foreign_folders_are_told_apart(folder, tmp_path):
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match="is unfinished: the command that began it, with the same options, goes on"):
        Dataset.open(folder)
    with pytest.raises(UserError, match=r"is not a data set: it has no manifest\.json"):
        Dataset.open(tmp_path)
    with pytest.raises(UserError, match="nothing lies there"):
        Dataset.open(tmp_path / "nothing")


@pytest.mark.parametrize("address", ["pipe:cat /etc/passwd", "https://host/set", "file:///data/set"])
def test_addresses_are_not_followed(address):
    with pytest.raises(UserError, match="is an address"):
        Dataset.open(address)


HOSTILE = [
    "/etc/passwd",
    "../copy/episodes-000000.tar",
    "pipe:touch owned",
    "https://host/a.tar",
    "episodes-000009.tar",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_index_is_refused(folder, name):
    rows = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    rows[0]["shard"] = name
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    change_manifest(folder, index_sha256=file_sha256(folder / "index.jsonl"))
    with pytest.raises(UserError, match="not a shard of it"):
        Dataset.open(folder)


@pytest.mark.parametrize("name", HOSTILE[:-1])
def test_a_hostile_manifest_is_refused(folder, name):
    shards = json.loads((folder / "manifest.json").read_text())["shards"]
    change_manifest(folder, shards=[{**shards[0], "name": name}, *shards[1:]])
    with pytest.raises(UserError, match="is not a shard of this folder"):
        Dataset.open(folder)


def test_a_link_out_of_the_folder_is_refused(folder, finished):
    shard = folder / "episodes-000000.tar"
    shard.unlink()
    shard.symlink_to(finished / shard.name)
    with pytest.raises(UserError, match="is not a shard of this folder"):
        Dataset.open(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "mmil-9"}, "format 'mmil-9'; this version reads 'mmil-1'"),
        ({"shards": "all"}, "lacks a proper shards"),
        ({"shards": [3]}, "a shard needs name"),
        ({"spec": {"scene": "plane"}}, "not a Spec"),
        ({"index_sha256": "0"}, "not what the manifest says"),
    ],
)
def test_a_wrong_manifest_is_refused(folder, change, said):
    change_manifest(folder, **change)
    with pytest.raises(UserError, match=said):
        Dataset.open(folder)


@pytest.mark.parametrize("line", ["{}", "[]", "nonsense", '{"key": 3}'])
def test_a_broken_index_is_refused(folder, line):
    (folder / "index.jsonl").write_text(line + "\n")
    change_manifest(folder, index_sha256=file_sha256(folder / "index.jsonl"))
    with pytest.raises(UserError, match="is not an index of episodes"):
        Dataset.open(folder)


def change_manifest(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))
