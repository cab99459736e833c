"""An expert that was asked at some steps alone: what it said there is learnt, and nothing in between."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from data_tools.survey import Survey
from mmil.contracts import UserError, flags_of, spans_of
from mmil.data.cache import write_features
from mmil.data.dataset import Dataset
from mmil.data.module import WindowData
from mmil.data.sample import decode_sample, encode_episode, split_members
from mmil.data.shards import Row
from mmil.data.stats import compute
from mmil.data.windows import Cut
from tests.data.conftest import counting_episode, small_spec, write_dataset

SPANS = ((1, 4), (6, 8))


@pytest.mark.parametrize("flags", ["0", "1", "0110", "1001", "111", "0000", "10101"])
def test_spans_are_flags_told_shortly(flags):
    flags = np.array([flag == "1" for flag in flags])
    spans = spans_of(flags)
    assert (flags_of(spans, len(flags)) == flags).all()
    assert len(spans) == (np.diff(np.concatenate([[0], flags, [0]]).astype(int)) == 1).sum()
    assert flags_of(None, 3).all()


def partly(number: int, spans=SPANS, steps: int = 9):
    return replace(counting_episode(number, steps, spec=small_spec()), labelled=spans)


def test_an_episode_keeps_them_in_its_shard_and_its_row(tmp_path):
    episode = partly(0)
    _, members = split_members(encode_episode(episode, attempts=1) + b"\0" * 1024)
    assert decode_sample(members).labelled == SPANS
    dataset = Dataset.open(write_dataset(tmp_path / "data", [episode, partly(1, None)], spec=small_spec()))
    one, whole = dataset.rows
    assert one.labelled == SPANS and one.labels == 5 and whole.labelled is None and whole.labels == 9
    assert Row.from_json(json.loads(json.dumps(one.to_json()))) == one and "labelled" not in whole.to_json()
    assert dataset.episode(0).labelled == SPANS


@pytest.mark.parametrize("spans", [((3, 3),), ((4, 2),), ((0, 3), (2, 5)), ((0, 12),)])
def test_spans_that_cannot_be_are_refused(spans):
    with pytest.raises(ValueError, match="no spans of 9 steps"):
        partly(0, spans)


def test_a_row_with_others_is_damaged(tmp_path):
    dataset = Dataset.open(write_dataset(tmp_path / "data", [partly(0)], spec=small_spec()))
    told = json.loads(json.dumps(dataset.rows[0].to_json()))
    for wrong in ([1, 2], [[1]], [[1, "2"]], "all"):
        with pytest.raises(ValueError, match="labelled"):
            Row.from_json({**told, "labelled": wrong})


@pytest.mark.parametrize("cached", [False, True])
def test_windows_begin_where_it_was_asked_and_end_with_its_answers(tmp_path, mean_features, cached):
    data = write_dataset(tmp_path / "data", [partly(0), partly(1, None), partly(2, ())], spec=small_spec())
    cache = tmp_path / "cache" if cached else None
    if cache:
        write_features(data, cache, mean_features, fingerprint={})
    module = WindowData(path=data, cache=cache, future=3, batch_size=1, workers=0, validation=0.0)
    found = {}
    for batch in module.train_dataloader():
        number, t = divmod(int(batch.signals["gripper_pos"][0, -1]), 100)
        found[number, t] = batch.valid[0].tolist()
        if number == 0:
            answers = batch.actions[0][batch.valid[0]][:, 0]
            assert torch.allclose(answers, torch.arange(t, t + len(answers)) / 100)
    assert {t for number, t in found if number == 0} == {1, 2, 3, 6, 7}
    assert {t for number, t in found if number == 1} == set(range(9)) and not any(number == 2 for number, _ in found)
    assert found[0, 1] == [True, True, True] and found[0, 2] == [True, True, False]
    assert found[0, 3] == [True, False, False] and found[0, 7] == [True, False, False]
    assert found[1, 8] == [True, False, False] and found[1, 7] == [True, True, False]


def test_what_was_executed_is_there_at_every_step(tmp_path):
    row = Dataset.open(write_dataset(tmp_path / "data", [partly(0)], spec=small_spec())).rows[0]
    assert list(Cut(target="actions").times(row)) == list(range(9))
    assert Cut(target="actions", future=2).told(row, [0, 8]).tolist() == [[True, True], [True, False]]
    assert list(Cut(stride=2).times(row)) == [2, 6]


def test_nothing_labelled_is_nothing_to_learn(tmp_path):
    data = write_dataset(tmp_path / "data", [partly(number, ()) for number in range(3)], spec=small_spec())
    with pytest.raises(UserError, match="no step that would be read is labelled"):
        WindowData(path=data, workers=0, validation=0.0).setup()


def test_what_nobody_asked_is_in_no_statistics_of_labels(tmp_path):
    one = partly(0)
    data = Dataset.open(write_dataset(tmp_path / "data", [one, partly(1, ())], spec=small_spec()))
    known = one.labels[flags_of(SPANS, 9)]
    np.testing.assert_allclose(compute(data).labels.mean, known.mean(axis=0), rtol=1e-5)
    survey = Survey(data.spec, steps=[9, 9])
    for index in range(2):
        survey.add(data.episode(index))
    assert survey.unlabelled == 4 + 9
