"""Every schedule warms up to the full rate and keeps to it or goes down to nothing."""

from itertools import pairwise

import pytest

from mmil.algos.schedule import AFTER, rate


@pytest.mark.parametrize("schedule", AFTER)
def test_up_and_then_never_up_again(schedule):
    rates = [rate(step, schedule=schedule, warmup=10, total=110) for step in range(130)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == rates[10] == 1.0
    assert all(later <= sooner for sooner, later in pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(1.0 if schedule == "constant" else 0.0)
    assert rates[60] == pytest.approx(1.0 if schedule == "constant" else 0.5)
