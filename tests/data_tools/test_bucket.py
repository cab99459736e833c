"""Straight into an object store: a local S3 server. The bytes of a folder, killed or not, and back into a folder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_tools.fetch import fetch
from mmil.cli import main
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from tests.plane import Plane, build, files

pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")
ROOT = Path(__file__).parents[2]
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3():
    """The file system of an empty server, which whoever is started from here finds too."""
    import s3fs

    local = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    local.start()
    before = dict(os.environ)
    host, port = local.get_host_and_port()
    os.environ.update(KEYS, AWS_ENDPOINT_URL=f"http://{host}:{port}")
    fs = s3fs.S3FileSystem(use_listings_cache=False)
    fs.mkdir("bucket")
    yield fs
    os.environ.clear()
    os.environ.update(before)
    local.stop()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "plane"
    build(folder)
    return folder


@pytest.fixture(scope="module")
def finished(s3):
    build("s3://bucket/sets/plane", workers=2)
    return "s3://bucket/sets/plane"


def objects(s3, address: str) -> dict[str, bytes]:
    prefix = address.removeprefix("s3://")
    return {path.removeprefix(f"{prefix}/"): s3.cat_file(path) for path in s3.find(prefix)}


def test_a_bucket_holds_the_bytes_of_a_folder(s3, finished, reference):
    assert objects(s3, finished) == files(reference)
    assert build(finished).made == 0
    with pytest.raises(UserError, match=r"s3://bucket/sets/plane was begun with other options: seed: 9 \(asked\) != 5"):
        build(finished, seed=9)


def test_any_episode_is_read_from_there(s3, finished, reference):
    there, here = Dataset.open(finished), Dataset.open(reference)
    assert there.rows == here.rows and there.manifest == here.manifest
    assert (there.episode(4).images["top"] == here.episode(4).images["top"]).all()
    with pytest.raises(UserError, match=f"no folder of this machine: mmil fetch {finished} DIR brings it here"):
        _ = there.path


def test_fetch_brings_it_into_a_folder(s3, finished, reference, tmp_path):
    out = tmp_path / "plane"
    assert len(fetch(place=finished, out=out)) == 7 and files(out) == files(reference)
    (out / "manifest.json").unlink()  # as if it had been killed before the last file, with a shard that is not whole
    (out / "episodes-000001.tar").write_bytes(b"half")
    fetch(place=finished, out=out)
    assert files(out) == files(reference)


def test_fetch_takes_no_other_folder_and_no_altered_shard(s3, finished, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds something else \(notes\.txt\)"):
        fetch(place=finished, out=tmp_path)
    s3.copy(finished, "s3://bucket/sets/altered", recursive=True)
    shard = s3.cat_file("bucket/sets/altered/episodes-000001.tar")
    s3.pipe_file("bucket/sets/altered/episodes-000001.tar", shard[:-1] + b"1")
    with pytest.raises(UserError, match=r"s3://bucket/sets/altered: episodes-000001\.tar has sha256 .*: altered"):
        fetch(place="s3://bucket/sets/altered", out=tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_second_generator_is_refused(s3):
    class Nosy(Plane):
        def reset(self, seed):
            with pytest.raises(UserError, match="another `mmil` is writing to s3://bucket/nosy"):
                build("s3://bucket/nosy", episodes=1)
            return super().reset(seed)

    build("s3://bucket/nosy", scene=Nosy, episodes=1)


def test_a_bucket_that_is_not_there_is_told(s3):
    with pytest.raises(UserError, match="s3://elsewhere/set"):
        build("s3://elsewhere/set")


def test_the_command_line_says_what_to_type_next(s3, tmp_path, capfd):
    config = tmp_path / "plane.yaml"
    config.write_text("{scene: tests.plane.Plane, actor: tests.plane.Reach, episodes: 3, seed: 5, horizon: 24}")
    asked = ["--config", str(config), "--out", "s3://bucket/cli", "--workers", "1", "--patience", "null"]
    assert main(["generate", *asked]) == 0
    said = capfd.readouterr().out.splitlines()
    assert said[0].startswith("s3://bucket/cli: 3 episodes, ") and said[1].startswith("  lift")
    assert said[-1] == "next: mmil fetch s3://bucket/cli DIR"
    assert main(["fetch", "s3://bucket/cli", str(tmp_path / "out")]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == f"next: mmil inspect {tmp_path / 'out'}"
    assert main(["verify", "s3://bucket/cli"]) == 2
    assert "mmil fetch s3://bucket/cli DIR brings it here" in capfd.readouterr().err


SCRIPT = """
import functools, sys
from mmil.data import lease
from tests.plane import Plane, build
lease.SILENT, lease.SETTLE = 1.0, 0.05
if __name__ == "__main__":
    build(sys.argv[1], scene=functools.partial(Plane, pause=0.01))
"""


def test_killed_and_resumed(s3, reference, tmp_path, monkeypatch):
    """What was made stays; the lock of the dead does too, until it has been silent for long enough."""
    monkeypatch.setattr("mmil.data.lease.SILENT", 1.0)
    (tmp_path / "script.py").write_text(SCRIPT)
    command, env = [sys.executable, tmp_path / "script.py", "s3://bucket/killed"], {**os.environ, "PYTHONPATH": ROOT}
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE)
    while len(s3.find("bucket/killed/")) < 5:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with pytest.raises(UserError, match="one that is silent for 1 s counts as dead"):
        build("s3://bucket/killed")
    time.sleep(1.1)
    assert 0 < build("s3://bucket/killed").made < 7
    assert objects(s3, "s3://bucket/killed") == files(reference)
