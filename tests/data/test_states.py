"""States of sentences that outlive a training: exact, for one model alone, and whole or not there."""

import json
import pickle

import numpy as np
import pytest

from mmil.contracts import UserError
from mmil.data.states import INDEX, SentenceStates

MODEL = {"sha256": "a" * 64, "layers": [3, 6]}


def states(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(length, 4)).astype(np.float16) for length in lengths]


@pytest.fixture
def folder(tmp_path):
    """With the states of two sentences, of 3 and 5 word pieces."""
    SentenceStates(tmp_path / "said", MODEL).add(dict(zip(("one", "two"), states(3, 5), strict=True)))
    return tmp_path / "said"


def test_what_was_added_is_there_for_the_next(folder):
    first, second, third = states(3, 5, 2)
    again = SentenceStates(folder, MODEL)
    again.add({"three": third})
    for known in (again, SentenceStates(folder, MODEL), pickle.loads(pickle.dumps(again))):
        assert len(known) == 3 and "two" in known and "four" not in known and known.get("four") is None
        for sentence, expected in (("one", first), ("two", second), ("three", third)):
            assert (known.get(sentence) == expected).all() and known.get(sentence).dtype == np.float16
    assert len(list(folder.iterdir())) == 2  # the index and one file


def test_another_model_is_refused(folder):
    with pytest.raises(UserError, match="holds states of another text model"):
        SentenceStates(folder, {**MODEL, "layers": [6]})


def test_what_is_damaged_begins_anew(folder):
    index, (file,) = folder / INDEX, folder.glob("states-*")
    told, whole = json.loads(index.read_bytes()), file.read_bytes()
    for damage in (
        lambda: index.write_text("{"),
        lambda: index.write_text(json.dumps({**told, "ends": told["ends"][:1]})),
        lambda: index.write_text(json.dumps({**told, "ends": [9, 8]})),
        lambda: index.write_text(json.dumps({**told, "file": "../" + told["file"]})),
        lambda: file.write_bytes(whole[:-8]),
        lambda: file.write_bytes(whole[:-1]),
        file.unlink,
    ):
        damage()
        assert len(SentenceStates(folder, MODEL)) == 0
        index.write_text(json.dumps(told))
        file.write_bytes(whole)
        assert len(SentenceStates(folder, MODEL)) == 2


def test_nothing_to_add_writes_nothing(tmp_path):
    SentenceStates(tmp_path / "said", MODEL).add({})
    assert not (tmp_path / "said").exists()
