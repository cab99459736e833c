"""Several data sets read as one: every window of each once, statistics and sentences of all; others are refused."""

import json

import numpy as np
import pytest

from mmil.contracts import UserError
from mmil.data.cache import write_features
from mmil.data.dataset import MANIFEST, Dataset
from mmil.data.module import WindowData
from mmil.data.stats import compute
from tests.data.conftest import CUBE, counting_episode, small_spec, write_dataset

PRINT = {"encoder": "mean", "sha256": "00"}


def write(out, numbers, *, spec):
    return write_dataset(out, [counting_episode(number, 4 + number, spec=spec) for number in numbers], spec=spec)


@pytest.fixture
def folders(tmp_path, spec):
    """Episodes 0, 1, 2, and 3, 4, 5."""
    return [write(tmp_path / name, numbers, spec=spec) for name, numbers in (("a", [0, 1, 2]), ("b", [3, 4, 5]))]


def seen(loader):
    return sorted(int(number) for batch in loader for number in batch.signals["gripper_pos"][:, -1])


@pytest.mark.parametrize("cached", [False, True])
def test_every_window_of_each_is_read_once(folders, mean_features, tmp_path, cached):
    options = {"path": folders[0], "more": folders[1:], "batch_size": 3, "future": 2, "validation": 0.0, "workers": 0}
    if cached:
        options["cache"] = [tmp_path / f"features-{number}" for number in range(2)]
        for path, cache in zip(folders, options["cache"], strict=True):
            write_features(path, cache, mean_features, fingerprint=PRINT)
    module = WindowData(**options)
    module.setup()
    numbers = seen(module.train_dataloader())
    every = {100 * number + t for number in range(6) for t in range(4 + number)}
    assert len(set(numbers)) == len(numbers) and set(numbers) <= every and len(every) - len(numbers) < 3
    batch = next(iter(module.train_dataloader()))
    for camera, lift in {"front": 0, "wrist": 100}.items():  # the pictures are those of the instants
        pictures = batch.images[camera]
        grey = (pictures[0] if cached else pictures).float().flatten(1)[:, 0] - lift
        assert np.allclose(grey, 4 * (batch.signals["gripper_pos"][:, 0] % 100), atol=2)


def test_statistics_and_sentences_are_those_of_all(folders, tmp_path, spec):
    manifest = json.loads((folders[1] / MANIFEST).read_bytes())
    manifest["sentences"][0]["sentences"].append("grab the red cube")
    (folders[1] / MANIFEST).write_text(json.dumps(manifest))
    module = WindowData(path=folders[0], more=folders[1:], validation=0.0)
    module.setup()
    whole = write(tmp_path / "whole", range(6), spec=spec)
    assert module.stats.to_json() == compute(Dataset.open(whole)).to_json()
    assert "grab the red cube" in module.sentences[CUBE] and len(module.sentences[CUBE]) == 4
    assert [row.index for row in module.dataset.rows] == list(range(6)) and module.dataset.manifest["episodes"] == 6


def test_what_does_not_belong_together_is_refused(folders, mean_features, tmp_path):
    with pytest.raises(UserError, match=r"both hold .*seed"):
        WindowData(path=folders[0], more=[folders[0]]).setup()
    other = small_spec(8)
    other = write(tmp_path / "small", [7, 8], spec=other)
    with pytest.raises(UserError, match="disagree: cameras"):
        WindowData(path=folders[0], more=[other]).setup()
    caches = [tmp_path / f"features-{number}" for number in range(2)]
    for number, (path, cache) in enumerate(zip(folders, caches, strict=True)):
        write_features(path, cache, mean_features, fingerprint={**PRINT, "sha256": f"{number}"})
    with pytest.raises(UserError, match="cache other features"):
        WindowData(path=folders[0], more=folders[1:], cache=caches).train_dataloader()
