"""Saying a thing by what else is there: only where it means that thing and no other."""

import numpy as np
import pytest

from mmil.contracts import Body, Goal, Thing
from mmil.language.grammar import Grammar
from mmil.language.references import landmarks

GRAMMAR = Grammar.load()
RED, BLUE, BALL, CAN = Thing("cube", "red"), Thing("cube", "blue"), Thing("ball", "red"), Thing("can")


def body(thing, x, y):
    return Body(thing, np.array([x, y, 0.82]), np.array([0.0, 0.0, 0.0, 1.0]), np.full(3, 0.02), held=False)


@pytest.mark.parametrize(
    ("among", "expected"),
    [
        ([body(RED, 0, 0), body(CAN, 0.1, 0.1)], {"shape", "colour"}),
        ([body(RED, 0, 0), body(BALL, 0.1, 0.1)], {"shape"}),
        ([body(RED, 0, -0.1), body(BLUE, 0, 0.1)], {"colour", "leftmost"}),
        ([body(RED, 0, 0.1), body(BLUE, 0, -0.1), body(BALL, 0.1, 0.1)], {"rightmost", "next_to"}),
        ([body(RED, 0, 0.01), body(BLUE, 0, 0), body(BALL, 0.2, 0)], set()),
    ],
)
def test_a_reference_means_one_thing(among, expected):
    assert set(landmarks(RED, among)) == expected


def test_the_nearest_is_the_one_next_to_it():
    among = [body(RED, 0, 0.1), body(BLUE, 0, -0.1), body(CAN, 0.05, 0.1)]
    assert landmarks(RED, among)["next_to"] == CAN and "next_to" not in landmarks(BLUE, among)


def test_some_sentences_refer_and_the_others_name():
    among, rng = [body(RED, 0, 0.1), body(BLUE, 0, -0.1), body(CAN, 0.05, 0.1)], np.random.default_rng(0)
    goal = Goal("lift", RED)
    said = [GRAMMAR.sample(goal, "train", rng, among=among) for _ in range(400)]
    referring = [sentence for sentence in said if not GRAMMAR.says(sentence, goal, "train")]
    assert 40 < len(referring) < 140
    assert any("on the right" in sentence for sentence in referring)
    assert any(" the can" in sentence or "tin" in sentence for sentence in referring)
    assert not any("left" in sentence or "blue" in sentence for sentence in referring)
    assert all(GRAMMAR.says(GRAMMAR.sample(goal, "train", rng), goal, "train") for _ in range(50))
