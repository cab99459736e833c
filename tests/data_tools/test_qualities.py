"""Demonstrations of several qualities: counted, shown, and picked to train on."""

import json

import numpy as np
import pytest

from data_tools.inspect import inspect
from data_tools.verify import verify
from mmil.contracts import UserError
from mmil.data.dataset import INDEX, MANIFEST, Dataset
from mmil.data.module import WindowData
from mmil.data.shards import file_sha256
from tests.plane import Reach, build, copy, grammar


class Moody(Reach):
    """Half of its episodes go nowhere, and say so."""

    @property
    def quality(self):
        return self._quality

    def reset(self, seed):
        super().reset(seed)
        self._quality = ("expert", "failing")[seed // 2 % 2]

    def act(self, observation, state=None):
        action = super().act(observation, state)
        return action if self._quality == "expert" else np.zeros_like(action) - 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "moody"
    build(path, episodes=12, actor=Moody, keep="all")
    return path


def test_index_manifest_and_report_say_the_quality(folder, tmp_path):
    dataset = Dataset.open(folder)
    assert [row.quality for row in dataset.rows] == [dataset.episode(i).quality for i in range(12)]
    told = dataset.manifest["qualities"]
    assert told["failing"].get("success", 0) == 0 < told["expert"]["success"]
    assert sum(sum(ends.values()) for ends in told.values()) == 12
    assert any("of quality failing" in line for line in build(folder, episodes=12, actor=Moody, keep="all").lines())
    assert verify(folder, grammar=grammar, report=tmp_path / "report.json") == []


def test_the_card_has_a_table_where_there_are_several(folder, tmp_path):
    failing = Dataset.open(folder).manifest["qualities"]["failing"]
    text = inspect(folder, out=tmp_path / "card.html").read_text()
    assert "By quality of the demonstration" in text and f"0 of {sum(failing.values())}, " in text
    build(tmp_path / "one", episodes=2)
    assert "qualities" not in Dataset.open(tmp_path / "one").manifest
    assert "By quality" not in inspect(tmp_path / "one").read_text()


def test_what_is_trained_on_can_be_chosen(folder):
    every, best = (WindowData(path=folder, validation=0.3, workers=0, qualities=q) for q in (None, ["expert"]))
    of_best = [row.key for row in (*best.training_rows, *best.held_out_rows)]
    assert sorted(of_best) == sorted(row.key for row in every.dataset.rows if row.quality == "expert")
    assert 0 < len(best.training_rows) < len(every.training_rows)
    with pytest.raises(UserError, match=r"no episode of quality sloppy; there are expert \(\d\), failing \(\d\)"):
        WindowData(path=folder, qualities=["expert", "sloppy"]).setup()
    with pytest.raises(UserError, match=r"no episode of quality \(none given\)"):
        WindowData(path=folder, qualities=[]).setup()


def test_an_index_that_does_not_say_it_is_read_as_before(folder, tmp_path):
    old = copy(folder, tmp_path / "old")
    rows = [json.loads(line) for line in (old / INDEX).read_text().splitlines()]
    text = "".join(json.dumps({k: v for k, v in row.items() if k != "quality"}) + "\n" for row in rows)
    (old / INDEX).write_text(text)
    manifest = json.loads((old / MANIFEST).read_text())
    (old / MANIFEST).write_text(json.dumps({**manifest, "index_sha256": file_sha256(old / INDEX)}))
    assert {row.quality for row in Dataset.open(old).rows} == {"expert"}
