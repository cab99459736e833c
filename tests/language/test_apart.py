"""What is refused: combinations that cannot occur, say the same as another, or are heard in training."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from mmil.contracts import Goal, Thing
from mmil.language.apart import faults
from mmil.language.bank import Phrases
from mmil.language.compositions import Compositions
from mmil.language.grammar import Grammar

GRAMMAR = Grammar.load()
THINGS = [Thing(shape, colour) for shape, colour in product(("cube", "ball"), ("red", "blue"))]
GOALS = [Goal(verb, thing) for verb in ("lift", "touch") for thing in THINGS]
GOALS += [Goal("push", thing, relation=side) for thing in THINGS for side in ("left", "right")]


def found(*items: dict[str, str], goals=GOALS, grammar=GRAMMAR) -> list[str]:
    return faults(Compositions.parse(list(items)), goals, grammar)


@pytest.mark.parametrize(
    "items",
    [
        [{"verb": "push", "colour": "red"}],
        [{"shape": "ball", "colour": "red"}, {"verb": "lift", "shape": "cube"}],
        [{"colour": "red", "relation": "left"}],
        [{"verb": "lift"}],
    ],
)
def test_pairs_whose_parts_stay_are_fine(items):
    assert found(*items) == []


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"colour": "pink"}], "no colour pink can be asked for; there are blue, red"),
        ([{"colour": "green", "verb": "lift"}], "no colour green can be asked for"),
        ([{"manner": "slowly"}], "no manner slowly can be asked for; there are none"),
        ([{"shape": "box", "colour": "red"}], "shape box is another word for cube: hold out shape cube"),
        ([{"colour": "Scarlet"}], "colour Scarlet is another word for red: hold out colour red"),
        (
            [{"verb": "lift", "relation": "left"}],
            "verb lift, relation left does not occur: no goal that was met has all of it",
        ),
        ([{"verb": "push", "relation": "left"}], "relation left is never seen in training, though verb push, relation"),
        (
            [{"relation": "left", "colour": "red"}, {"verb": "push", "colour": "red"}],
            "colour red, relation left is implied by verb push, colour red",
        ),
        (
            [{"relation": "left", "colour": "red"}, {"relation": "left", "shape": "cube"}],
            None,  # they overlap, and neither says all of the other
        ),
        ([{"shape": "cube"}, {"shape": "ball"}], "everything is held out: nothing is left to train on"),
    ],
)
def test_what_is_not_apart_is_named(items, said):
    lines = found(*items)
    assert lines == [] if said is None else lines and any(said in line for line in lines), lines


def test_two_that_match_the_same_goals_are_told_once():
    items = [{"verb": "push", "relation": "left", "colour": "red"}, {"colour": "red", "relation": "left"}]
    goals = [goal for goal in GOALS if goal.relation == "left"] + GOALS
    with_pairs = [{"verb": "push", "colour": "red", "shape": "cube"}, {"relation": "left", "colour": "blue"}]
    assert found(*with_pairs, goals=goals) == []
    held = Compositions(tuple(one for item in items for one in Compositions.parse([item]).held_out))
    assert sum("is implied by" in line for line in faults(held, goals, GRAMMAR)) == 1


def test_values_that_share_a_word_are_synonyms():
    shapes = {**GRAMMAR.shapes, "die": Phrases(("die", "blocks"), ("wedge",))}
    goals = [*GOALS, *(Goal(verb, Thing("die", "red")) for verb in ("lift", "touch"))]
    (line, *_) = found({"shape": "cube", "verb": "lift"}, goals=goals, grammar=replace(GRAMMAR, shapes=shapes))
    assert line.startswith("shape cube and shape die are synonyms in the bank, which calls both ")


def test_a_verb_that_training_says_in_the_same_words_leaks():
    raise_ = Phrases(("raise the {object}, please",), ("elevate the {object}",))
    grammar = replace(GRAMMAR, verbs={**GRAMMAR.verbs, "raise": raise_})
    goals = [*GOALS, *(Goal("raise", thing) for thing in THINGS)]
    (line,) = found({"verb": "raise", "colour": "red"}, goals=goals, grammar=grammar)
    assert "verb raise, colour red leaks: raise red cube is said as lift red cube is, which is trained" in line
    assert "\n" not in line and found({"verb": "push", "colour": "red"}, goals=goals, grammar=grammar) == []


def test_a_manner_that_the_bank_does_not_say_leaks():
    goals = [*GOALS, *(replace(goal, manner="slowly") for goal in GOALS)]
    assert found({"verb": "lift", "manner": "slowly"}, goals=goals) == []
    (line,) = found({"verb": "lift", "manner": "slowly"}, goals=goals, grammar=replace(GRAMMAR, manners={}))
    assert "slowly lift red cube is said as lift red cube is" in line
