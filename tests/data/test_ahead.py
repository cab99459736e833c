"""Items come in order, errors come where the item would have, and nobody goes on working for nobody."""

import threading
import time

import pytest

from mmil.data.ahead import ahead


def test_items_come_in_order_and_before_they_are_asked_for():
    made = []

    def items():
        for number in range(6):
            made.append(number)
            yield number

    found = ahead(items(), most=2)
    assert next(found) == 0
    deadline = time.monotonic() + 5
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert made[:3] == [0, 1, 2]
    assert list(found) == [1, 2, 3, 4, 5]


def test_an_error_is_raised_after_what_was_made_before_it():
    def items():
        yield 1
        raise ValueError("no second")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match="no second"):
        next(found)


def test_it_stops_when_nobody_wants_more():
    def forever():
        while True:
            yield 0

    before = threading.active_count()
    found = ahead(forever())
    next(found)
    found.close()
    assert threading.active_count() == before
