"""Balanced reading: shares that were asked for, as many batches as before, the same whoever reads."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from mmil.contracts import Goal, Thing, UserError
from mmil.data.balance import Balance
from mmil.data.cache import write_features
from mmil.data.module import WindowData
from mmil.data.stream import Stream
from mmil.data.windows import Cut

LENGTHS = {"lift": [40, 40, 20], "wipe": [200], "press": [10, 30]}
ROWS = [SimpleNamespace(goal=Goal(verb, Thing("cube")), key=verb) for verb, steps in LENGTHS.items() for _ in steps]
WINDOWS = [count for steps in LENGTHS.values() for count in steps]


def balance(**options) -> Balance:
    return Balance(rows=ROWS, windows=WINDOWS, seed=3, **options)


def read(found: Balance, epoch: int = 0) -> dict[str, int]:
    """Readings of each verb."""
    readings, total = found.readings(epoch, 0), Counter()
    for row, part in zip(ROWS, np.split(readings, np.cumsum(WINDOWS)[:-1]), strict=True):
        total[row.goal.verb] += int(part.sum())
    return dict(total)


def test_zero_reads_every_window_once():
    assert (balance().readings(0, 0) == 1).all() and balance().skill_shares["wipe"] == pytest.approx(200 / 340)
    assert balance().numbers(0, 0).tolist() == list(range(340))


def test_one_reads_every_skill_equally_often_and_half_lies_between():
    for epoch in range(3):
        assert all(abs(count - 340 / 3) <= 1 for count in read(balance(skills=1.0), epoch).values())
    half = balance(skills=0.5).skill_shares
    assert 1 / 3 < half["wipe"] < 200 / 340 and 40 / 340 < half["press"] < 1 / 3
    assert half["wipe"] / half["press"] == pytest.approx((200 / 40) ** 0.5)


def test_episodes_of_a_skill_count_alike():
    shares = balance(skills=1.0, episodes=1.0).shares
    assert shares == pytest.approx([1 / 9] * 3 + [1 / 3] + [1 / 6] * 2)
    assert balance(episodes=1.0).shares == pytest.approx([1 / 6] * 6)


def test_no_window_is_left_out_for_ever_and_each_epoch_draws_others():
    readings = [balance(skills=1.0).readings(epoch, 0) for epoch in range(12)]
    assert all(one.sum() == 340 for one in readings) and (np.sum(readings, axis=0) > 0).all()
    assert (readings[0] != readings[1]).any() and (readings[0] == balance(skills=1.0).readings(0, 0)).all()
    assert (balance(skills=1.0).readings(0, 1) != readings[0]).any()


def test_numbers_tell_the_readings_of_a_window_apart():
    found = balance(skills=1.0)
    numbers, readings = found.numbers(0, 0), found.readings(0, 0)
    assert len(set(numbers.tolist())) == len(numbers) == 340
    assert (np.bincount(numbers % 340, minlength=340) == readings).all()
    assert numbers.max() // 340 == readings.max() - 1 > 0


@pytest.mark.parametrize("options", [{"balance": 1.5}, {"balance_episodes": -0.1}])
def test_shares_beyond_reason_are_refused(counting, options):
    with pytest.raises(UserError, match="0 leaves the windows as they are"):
        WindowData(path=counting.path, **options)


def seen(loader) -> list[int]:
    return [int(number) for batch in loader for number in batch.signals["gripper_pos"][:, -1]]


@pytest.mark.parametrize("cached", [False, True])
def test_an_epoch_reads_what_the_balance_says(counting, mean_features, tmp_path, cached):
    if cached:
        write_features(counting.path, tmp_path, mean_features, fingerprint={})
    options = {"path": counting.path, "cache": tmp_path if cached else None, "validation": 0.0, "batch_size": 2}
    epochs = []
    for workers in (0, 2):
        module = WindowData(**options, workers=workers, balance_episodes=1.0)
        loader = module.train_dataloader()
        assert len(loader) == len(WindowData(**options, workers=workers).train_dataloader())
        epochs.append([seen(loader) for _ in range(2)])
    assert [sorted(one) for one in epochs[0]] == [sorted(one) for one in epochs[1]]
    assert epochs[0][0] != epochs[0][1]
    counts = Counter(number // 100 for number in epochs[0][0])
    assert max(counts.values()) - min(counts.values()) <= 2  # episodes of 5 to 16 windows; an odd one is left over
    module.teardown()


def test_ranks_share_one_balance(counting):
    found = Balance(rows=counting.rows, windows=[row.steps for row in counting.rows], episodes=1.0)
    parts = [
        seen(
            Stream(
                folder=counting.path, rows=counting.rows, spec=counting.spec, cut=Cut(), batch_size=8, rank=rank,
                ranks=ranks, balance=found,
            ).pipeline()
        )
        for ranks, rank in ((1, 0), (2, 0), (2, 1))
    ]  # fmt: skip
    assert sorted(parts[0]) == sorted(parts[1] + parts[2])


def test_a_window_read_again_is_told_another_sentence(counting, mean_features, tmp_path):
    write_features(counting.path, tmp_path, mean_features, fingerprint={})
    for cache in (None, tmp_path):
        module = WindowData(path=counting.path, cache=cache, validation=0.0, workers=0, balance_episodes=1.0)
        said: dict[int, set[str]] = {}
        for batch in module.train_dataloader():
            for number, sentence in zip(batch.signals["gripper_pos"][:, -1].tolist(), batch.instruction, strict=True):
                said.setdefault(int(number), set()).add(sentence)
        assert max(map(len, said.values())) > 1
