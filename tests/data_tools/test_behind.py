"""Slow requests overlap, what follows from them does not, and no failure is passed over."""

import threading
import time

import pytest

from data_tools.behind import Behind


@pytest.mark.parametrize("at_once", [1, 4])
def test_all_of_it_is_done_and_followed_in_order(at_once):
    behind, followed, together = Behind(at_once), [], []
    working = threading.Semaphore(0)

    def job(number):
        working.release()
        time.sleep(0.02)
        together.append(working._value)
        working.acquire()
        return number * number

    def then(result):
        followed.append((result, threading.current_thread()))
        if result == 4:
            behind.do(lambda: job(100), then)

    for number in range(8):
        behind.do(lambda number=number: job(number), then)
    behind.finish()
    behind.close()
    assert sorted(result for result, _ in followed) == sorted([0, 1, 4, 9, 16, 25, 36, 49, 10000])
    assert {thread for _, thread in followed} == {threading.current_thread()}
    assert max(together) == 1 if at_once == 1 else max(together) > 1


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_failure_is_raised_where_somebody_looks(at_once):
    behind = Behind(at_once)

    def fail():
        raise OSError("out of reach")

    with pytest.raises(OSError, match="out of reach"):
        behind.do(fail, then=print)
        behind.finish()
    behind.close()
