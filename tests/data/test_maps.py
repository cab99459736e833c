"""Maps as files: lossless, of one size with their pictures, and refused where anybody made them something else."""

import json
import struct
import zlib
from functools import partial

import numpy as np
import pytest

from data_tools.verify import verify
from mmil.contracts import Spec, UserError
from mmil.data.dataset import Dataset
from mmil.data.maps import decode_map, encode_map, map_file, png_header
from mmil.data.members import read_samples
from mmil.data.sample import complete, decode_sample, encode_episode, split_members
from mmil.data.shards import assemble, encode_rows, file_sha256, scan, shard_entry
from mmil.data.windows import Cut, collate, cut_windows
from mmil.rollout import rollout
from tests.plane import Plane, Reach, build

BOTH = ("depth", "segmentation")
DEPTH = "top.depth"


@pytest.fixture(scope="module")
def episode():
    return rollout(Plane(windy=0, streams=BOTH), Reach(), seed=4, horizon=24)


@pytest.fixture(scope="module")
def sample(episode):
    return split_members(encode_episode(episode, attempts=1))[1]


def png(*, height=40, width=40, bits=16, colour=0, interlace=0, rows=None):
    def chunk(kind, data):
        return len(data).to_bytes(4) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    about = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    rows = rows or zlib.compress(bytes(min((1 + width * bits // 8) * height, 1 << 20)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", about) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_any_map_comes_back(kind):
    rng = np.random.default_rng(0)
    name = "a.segmentation" if kind is np.uint8 else "a.depth"
    for size in ((1, 1), (7, 300), (128, 128)):
        frame = rng.integers(0, np.iinfo(kind).max, size, kind, endpoint=True)
        data = encode_map(frame)
        again = decode_map(data, name, size)
        assert again.dtype == kind and (again == frame).all() and encode_map(again) == data
        assert png_header(data) == (*size, 8 * frame.itemsize)


def test_an_episode_comes_back_with_its_maps(episode, sample):
    again = decode_sample(sample)
    assert list(again.maps) == ["top.depth", "top.segmentation", "side.depth", "side.segmentation"]
    for name, frames in episode.maps.items():
        assert again.maps[name].dtype == frames.dtype and (again.maps[name] == frames).all()
    assert map_file(DEPTH, 3) in sample and complete(sample)
    assert not complete({name: data for name, data in sample.items() if name != map_file(DEPTH, 3)})
    assert encode_episode(again, attempts=1, frames=jpegs(sample, again)) == encode_episode(episode, attempts=1)


def jpegs(sample, episode):
    steps = range(len(episode.actions) + 1)
    return {camera: [sample[f"{camera}.{i:04d}.jpg"] for i in steps] for camera in episode.images}


def test_without_maps_not_a_byte_is_another_one(episode):
    plain = rollout(Plane(windy=0), Reach(), seed=4, horizon=24)
    about = json.loads(split_members(encode_episode(plain, attempts=1))[1]["json"])
    assert "maps" not in about and plain.maps == {} and "maps" not in Plane.spec.to_json()
    with_maps = json.loads(split_members(encode_episode(episode, attempts=1))[1]["json"])
    assert {**about, "maps": with_maps["maps"]} == with_maps


def test_a_spec_knows_its_maps():
    spec = Plane(streams=BOTH).spec
    assert Spec.from_json(spec.to_json()) == spec
    old = {name: value for name, value in Plane.spec.to_json().items() if name not in ("maps", "privileged")}
    assert Spec.from_json(old).maps == {}
    for maps in (
        {"top.flow": [40, 40]},
        {"up.depth": [40, 40]},
        {"top.depth": [40, 41]},
        {"top.depth": []},
        {"": [1, 1]},
    ):
        with pytest.raises(UserError, match="not a Spec: the map"):
            Spec.from_json({**spec.to_json(), "maps": maps})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        png(bits=8),
        png(colour=2, bits=8),
        png(interlace=1),
        png(height=41),
        png(height=1 << 20, width=1 << 20),
        png(height=0x7FFFFFFF, width=0x7FFFFFFF),
        png()[:60],
        png(rows=zlib.compress(bytes(50))),
        png().replace(b"IDAT", b"iDAT"),
        png(rows=b"nothing that unpacks"),
    ],
)
def test_what_is_no_such_map_is_refused(data):
    with pytest.raises(UserError, match=r"a map top\.depth that is (no PNG of 40 × 40 pixels of 16 bits|damaged)"):
        decode_map(data, DEPTH, (40, 40))
    assert decode_map(png(), DEPTH, (40, 40)).shape == (40, 40)


def test_a_bomb_is_not_unpacked(monkeypatch):
    """It says how large it would be, and no picture of its camera is."""
    import cv2

    monkeypatch.setattr(cv2, "imdecode", pytest.fail)
    with pytest.raises(UserError, match="no PNG of 40 × 40"):
        decode_map(png(height=16_000, width=16_000), DEPTH, (40, 40))


@pytest.mark.parametrize(
    ("maps", "line"),
    [
        (["up.depth"], "a map up.depth, but no such camera; there are top, side"),
        (["top.flow"], "does not describe an episode: maps is"),
        (["top.depth", "top.depth"], "does not describe an episode: maps is"),
        ({"top.depth": 1}, "does not describe an episode: maps is"),
        (["top.depth"], "which no episode has"),
        ([], "which no episode has"),
        (["../../x.depth"], "does not describe an episode: maps is"),
    ],
)
def test_what_a_description_says_of_maps_is_not_believed(maps, line, sample):
    about = {**json.loads(sample["json"]), "maps": maps}
    kept = sample
    if maps == ["up.depth"]:
        kept = {name: data for name, data in sample.items() if not name.endswith(".png")}
        kept |= {map_file("up.depth", i): png() for i in range(about["steps"] + 1)}
    with pytest.raises(UserError, match=line):
        decode_sample({**kept, "json": json.dumps(about).encode()})


def test_a_data_set_with_a_missing_map_or_another_one_is_named(tmp_path, make_plane):
    folder = make_plane(tmp_path / "data")
    row = Dataset.open(folder).rows[0]
    members = Dataset.open(folder).sample(0)
    for change, line in (
        ({map_file(DEPTH, 2): None}, r"altered at episode 0.*top\.depth\.0002\.png"),
        ({map_file(DEPTH, 2): png(height=20)}, r"altered at episode 0.*no PNG of 40 × 40"),
    ):
        altered = {name: data for name, data in ({**members, **change}).items() if data is not None}
        with pytest.raises(UserError, match=line):
            Dataset.open(folder).decode(row.index, altered)


def test_verify_finds_a_map_that_was_taken_away(tmp_path, make_plane):
    folder = make_plane(tmp_path / "data")
    dataset = Dataset.open(folder)
    shard, rows = folder / "episodes-000000.tar", list(dataset.rows)
    first = shard.read_bytes()[: rows[0].size]
    at = first.index(map_file(DEPTH, 1).encode()) - len(rows[0].key) - 1
    size = int(first[at + 124 : at + 135], 8)
    (folder / "part").write_bytes(first[:at] + first[at + 512 + size + -size % 512 :])
    assemble(shard, [folder / "part"])
    again = scan(shard, first=0)
    (folder / "index.jsonl").write_bytes(encode_rows(again))
    manifest = {**dataset.manifest, "shards": [shard_entry(shard, again)], "episodes": 1, "steps": again[0].steps}
    manifest["index_sha256"] = file_sha256(folder / "index.jsonl")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (reason,) = verify(folder, workers=1, replay=0)
    assert "top.depth.0001.png" in reason


def test_training_reads_past_them(tmp_path, make_plane):
    """No policy looks at maps yet: windows are those of the same data set without."""
    build(tmp_path / "plain", episodes=2, scene=partial(Plane, windy=0))
    batches = []
    for folder in (tmp_path / "plain", make_plane(tmp_path / "deep")):
        dataset = Dataset.open(folder)
        ((row, members), *_) = read_samples(folder, dataset.rows)
        batches.append(collate(list(cut_windows(row, members, cut=Cut(), spec=dataset.spec)), spec=dataset.spec))
    one, other = batches
    assert all((one.images[camera] == other.images[camera]).all() for camera in one.images)
    assert (one.actions == other.actions).all() and one.instruction == other.instruction
