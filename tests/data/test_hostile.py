"""Archives and indexes made to harm: each is refused in one line, and nothing of it is followed, unpacked or run."""

import copy as copying
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest

from data_tools.inspect import inspect
from data_tools.verify import verify
from mmil.contracts import UserError
from mmil.data import sample
from mmil.data.dataset import Dataset
from mmil.data.jpeg import decode_frame, encode_frame, jpeg_size
from mmil.data.sample import decode_arrays, decode_sample, split_members
from mmil.data.shards import assemble, encode_rows, file_sha256, scan, shard_entry
from tests.plane import build, copy


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "plane"
    build(folder, episodes=3, per_shard=2)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return copy(finished, tmp_path / "copy")


# -- archives ----------------------------------------------------------------------------------------------------------


def odd(name="plane-00000000000000000000.json", *, kind=tarfile.REGTYPE, link="", content=b"", pax=None):
    """A tar with one member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT if pax else tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size, info.pax_headers = kind, link, len(content), pax or {}
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


SPARSE = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "plane-0.json",
          "GNU.sparse.size": str(1 << 50), "GNU.sparse.map": f"{1 << 50},0"}  # fmt: skip
ARCHIVES = {
    "link": (odd(kind=tarfile.SYMTYPE, link="/etc/passwd"), "is a link, not a plain file"),
    "hard link": (odd(kind=tarfile.LNKTYPE, link="../../manifest.json"), "is a link, not a plain file"),
    "folder": (odd(kind=tarfile.DIRTYPE), "is a folder, not a plain file"),
    "device": (odd(kind=tarfile.CHRTYPE), "is something else, not a plain file"),
    "a petabyte of nothing": (odd(pax=SPARSE), "not a plain file"),
    "cut short": (odd(content=b"{}" * 4000)[:1024], "unexpected end of data"),
    "no archive": (b"\x7fELF" * 600, "not the tar members|damaged"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_anything_but_plain_files_is_refused(name, tmp_path):
    data, line = ARCHIVES[name]
    with pytest.raises(UserError, match=line):
        split_members(data)
    (tmp_path / "episodes-000000.tar").write_bytes(data)
    with pytest.raises(UserError, match=rf"episodes-000000\.tar is damaged.*{line if 'damaged' not in line else ''}"):
        scan(tmp_path / "episodes-000000.tar", first=0)


@pytest.mark.parametrize("name", ["/etc/passwd", "../../up.json", "a/b.json", "Plane 1.json"])
def test_no_sample_is_named_like_a_place(name, tmp_path):
    about = json.dumps({"seed": 0, "attempts": 1, "instruction": "x", "split": "train", "outcome": "success",
                        "goal": {"verb": "lift", "object": {"shape": "cube", "colour": "red"}}, "things": [],
                        "steps": 1})  # fmt: skip
    (tmp_path / "episodes-000000.tar").write_bytes(odd(name, content=about.encode()))
    with pytest.raises(UserError, match="is damaged: key is "):
        scan(tmp_path / "episodes-000000.tar", first=0)


def test_a_member_that_no_episode_has(folder):
    """True checksums and a true index do not help it."""
    shard, rows = folder / "episodes-000001.tar", list(Dataset.open(folder).rows)
    added = odd(f"{rows[2].key}.x/../../../../tmp/owned", content=b"owned")[:1024]
    (folder / "a").write_bytes(shard.read_bytes()[: rows[2].size] + added)
    assemble(shard, [folder / "a"])
    publish(folder, rows[:2] + scan(shard, first=2))
    (reason,) = verify(folder, workers=1, replay=0)
    assert "'x/../../../../tmp/owned', which no episode has" in reason
    with pytest.raises(UserError, match="which no episode has"):
        inspect(folder, out=folder / "card.html")
    assert not (folder / "card.html").exists()


def test_a_shard_cut_short_with_true_checksums(folder):
    shard, rows = folder / "episodes-000001.tar", list(Dataset.open(folder).rows)
    shard.write_bytes(shard.read_bytes()[: rows[2].size // 2])
    publish(folder, [*rows[:2], rows[2].__class__(**{**vars(rows[2]), "size": shard.stat().st_size})])
    (reason,) = verify(folder, workers=1, replay=0)
    assert "episodes-000001.tar is damaged" in reason
    with pytest.raises(UserError, match=r"episodes-000001\.tar is (truncated|altered)"):
        Dataset.open(folder).episode(2)


# -- arrays and pictures -----------------------------------------------------------------------------------------------


def npz(**entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def header(shape, kind="<f8"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def test_arrays_that_unpack_to_more_than_any_episode_are_not_unpacked(monkeypatch):
    bomb = npz(actions=header((1 << 18,)) + bytes(1 << 21))
    assert len(bomb) < 4000 and decode_arrays(bomb)["actions"].shape == (1 << 18,)
    monkeypatch.setattr(sample, "LARGEST", 1 << 20)
    monkeypatch.setattr(np.lib.format, "read_array", pytest.fail)
    with pytest.raises(UserError, match=r"its arrays unpack to 2 MB; an episode has 1 at most"):
        decode_arrays(bomb)


@pytest.mark.parametrize("shape", [(1 << 50,), (-1,), (1 << 40, 1 << 40), (3,)])
def test_absurd_shapes_are_one_line(folder, shape):
    dataset = Dataset.open(folder)
    with pytest.raises(UserError, match=r"episodes-000000\.tar is altered at episode 0"):
        dataset.decode(0, {**dataset.sample(0), "npz": npz(actions=header(shape) + bytes(8))})


def test_a_picture_of_a_gigapixel_is_not_decoded():
    small = encode_frame(np.zeros((8, 12, 3), np.uint8))
    assert jpeg_size(small) == (8, 12)
    at = small.index(b"\xff\xc0") + 5
    huge = small[:at] + (65_000).to_bytes(2) * 2 + small[at + 4 :]
    with pytest.raises(UserError, match="a JPEG frame of 65000 × 65000 pixels; no camera has more than 16384 a side"):
        decode_frame(huge)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + bytes(40), b"\xff\xd8" * 40]
)
def test_what_is_no_jpeg_is_not_decoded(data):
    with pytest.raises(UserError, match="not a JPEG frame"):
        decode_frame(data)


# -- descriptions ------------------------------------------------------------------------------------------------------


DROPPED = object()
VALUES = [None, -1, 10**30, "x", [], {}, [1], 1e300, True, DROPPED]


def spoilt(value, rng):
    """A copy with something else in one place."""
    spoilt = at = copying.deepcopy(value)
    while True:
        key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
        key = str(key) if isinstance(at, dict) else int(key)
        if not isinstance(at[key], dict | list) or not at[key] or rng.random() < 0.2:
            break
        at = at[key]
    new = VALUES[rng.integers(len(VALUES))]
    if new is DROPPED:
        del at[key]
    else:
        at[key] = new
    return spoilt


def test_any_manifest_and_any_index_is_read_or_refused(folder):
    """Never anything but an answer or one line, whatever is written where."""
    rng = np.random.default_rng(0)
    manifest = json.loads((folder / "manifest.json").read_text())
    first, *rest = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    refused = 0
    for number in range(160):
        change = spoilt({**manifest, "sentences": manifest["sentences"][:2]}, rng) if number % 2 else manifest
        row = first if number % 2 else spoilt(first, rng)
        (folder / "index.jsonl").write_text("".join(json.dumps(one) + "\n" for one in (row, *rest)))
        if change is manifest:
            change = {**manifest, "index_sha256": file_sha256(folder / "index.jsonl")}
        (folder / "manifest.json").write_text(json.dumps(change))
        try:
            Dataset.open(folder)
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 600
            refused += 1
    assert refused > 80


def test_any_description_of_an_episode_is_read_or_refused(folder):
    rng, dataset = np.random.default_rng(1), Dataset.open(folder)
    members = dataset.sample(0)
    about = json.loads(members["json"])
    refused = 0
    for _ in range(80):
        text = json.dumps(spoilt(about, rng)).encode()
        try:
            decode_sample({**members, "json": text})
        except (UserError, ValueError):
            refused += 1
    assert refused > 30


def publish(folder, rows):
    (folder / "index.jsonl").write_bytes(encode_rows(rows))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["shards"] = [shard_entry(path, rows) for path in sorted(folder.glob("*.tar"))]
    manifest["index_sha256"] = file_sha256(folder / "index.jsonl")
    (folder / "manifest.json").write_text(json.dumps(manifest))
