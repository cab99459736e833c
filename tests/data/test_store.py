"""A folder and a prefix of an object store keep the same promises."""

import sys
import time

import pytest

from mmil.contracts import UserError
from mmil.data import lease
from mmil.data.address import store_at


@pytest.fixture(params=["folder", "memory"])
def place(request, tmp_path):
    """An address where nothing lies."""
    if request.param == "folder":
        yield str(tmp_path / "set")
        return
    import fsspec

    yield f"memory://bucket/{tmp_path.name}"
    fsspec.filesystem("memory").store.clear()


def test_what_is_written_is_there_as_a_whole(place):
    store = store_at(place)
    assert store.sizes() == {} and str(store) == place
    with store.hold(".parts"):
        store.write("a.tar", (chunk for chunk in (b"12", b"345")))
        store.write(".parts/b", b"6")
        store.write("a.tar", b"another")
    assert store.sizes() == {"a.tar": 7, ".parts/b": 1}  # and no lock any more
    assert store.read("a.tar") == b"another"
    with store.open("a.tar") as file:
        file.seek(2)
        assert file.read(3) == b"oth"
    for read in (store.read, store.open):
        with pytest.raises(FileNotFoundError):
            read("nothing")


def test_what_is_removed_is_gone_whether_it_was_there_or_not(place):
    store = store_at(place)
    with store.hold(".parts"):
        for name in ("a", "b", ".parts/c", ".parts/d"):
            store.write(name, b"1")
        store.remove(["a", ".parts/c"])
        store.remove(["a", ".parts/c"])
        store.remove([])
        assert set(store.sizes()) - {".lock"} == {"b", ".parts/d"}
        store.clear(".parts")
        store.clear(".parts")
    assert set(store.sizes()) == {"b"}


def test_a_chunk_that_fails_leaves_what_was_there(place):
    def chunks():
        yield b"half"
        raise OSError(28, "No space left on device")

    store = store_at(place)
    with store.hold():
        store.write("a", b"whole")
        with pytest.raises((OSError, UserError), match="No space left"):
            store.write("a", chunks())
        assert store.read("a") == b"whole"


def test_only_one_writes(place):
    one, other = store_at(place), store_at(place)
    with one.hold(), pytest.raises(UserError, match=r"another `mmil` is writing to .*"), other.hold():
        pass
    with other.hold():
        other.write("a", b"1")


@pytest.mark.parametrize(
    "place", ["pipe:touch owned", "https://host/set", "http://host/set", "file:///data", "ftp://host/set", "s3://"]
)
def test_no_other_address_is_followed(place):
    with pytest.raises(UserError, match=r"is an address that no data set lies at; there are folders and s3://"):
        store_at(place)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UserError, match="gs://bucket/set needs a library: pip install 'gcsfs'"):
        store_at("gs://bucket/set")


# -- a lock that nobody can take with them -----------------------------------------------------------------------------


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(lease, "SILENT", 0.4)
    monkeypatch.setattr(lease, "SETTLE", 0.05)


@pytest.fixture
def bucket():
    import fsspec

    yield lambda: store_at("memory://bucket/set")
    fsspec.filesystem("memory").store.clear()


def test_whoever_is_silent_loses_the_lock(bucket, hurried, monkeypatch):
    """As after SIGKILL: the lock stays, nobody renews it; and should its holder wake up, it may not write any more."""
    dead, heir = bucket(), bucket()
    monkeypatch.setattr(lease.Lease, "_live", lambda self: None)
    with dead.hold():
        with pytest.raises(UserError, match=r"its last sign of life is 0 s old; one that is silent for"), heir.hold():
            pass
        time.sleep(0.5)
        monkeypatch.undo()
        monkeypatch.setattr(lease, "SILENT", 0.4)
        with heir.hold():
            heir.write("a", b"heir")
            dead._lease._renew()
            with pytest.raises(UserError, match="another `mmil` took over"):
                dead.write("a", b"dead")
    assert bucket().sizes() == {"a": 4}


def test_whoever_lives_keeps_the_lock(bucket, hurried):
    with bucket().hold():
        time.sleep(0.6)
        with pytest.raises(UserError, match="is writing to"), bucket().hold():
            pass


def test_of_two_heirs_one_writes(bucket, hurried, monkeypatch):
    """The other one overwrote the lock between our writing it and our looking again."""
    store = bucket()
    store._fs.pipe_file("/bucket/set/.lock", b'{"owner": "dead", "alive": 0}')
    rival = b'{"owner": "rival", "alive": %d}' % time.time()
    monkeypatch.setattr(lease.time, "sleep", lambda _: store._fs.pipe_file("/bucket/set/.lock", rival))
    with pytest.raises(UserError, match="took over"), store.hold():
        pass
