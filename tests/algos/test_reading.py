"""Reading lessons: with a question for each thing of a goal, both things are told alike."""

import pytest
import torch

from mmil.algos.reading import Reading
from mmil.contracts import Goal, Thing, UserError
from mmil.encoders import Sentence
from mmil.encoders.symbols import THING, Symbols

SHAPES = ("bar", "can", "cube")
# a bar is never a target
GOALS = [Goal("put", Thing(one), target=Thing(other)) for one in SHAPES for other in SHAPES[1:] if one != other]
GOALS += [Goal("lift", Thing(shape)) for shape in SHAPES]
SENTENCES = {goal: [str(goal)] for goal in GOALS}


def tokens(goals: list[Goal]) -> torch.Tensor:
    """(B, 2, D): the object's word, then the target's."""
    words = [[thing.shape if thing else "" for thing in (goal.object, goal.target)] for goal in goals]
    return torch.eye(4)[torch.tensor([[("", *SHAPES).index(word) for word in both] for both in words])]


def said(goals: list[Goal]) -> Sentence:
    found = tokens(goals)
    return Sentence(found, found, torch.ones(found.shape[:2], dtype=torch.bool))


def learnt(questions: int) -> Reading:
    torch.manual_seed(0)
    lesson = Reading(SENTENCES, size=8, questions=questions)
    learner = torch.optim.Adam(lesson.parameters(), lr=0.1)
    for _ in range(200):
        learner.zero_grad()
        lesson.loss(said(GOALS), [str(goal) for goal in GOALS]).backward()
        learner.step()
    return lesson


def test_one_readout_reads_object_and_target():
    lesson = learnt(2)
    assert set(lesson.readouts) == {"verb", "shape"}  # of manners, relations and colours there is one each
    assert lesson.readouts["shape"].in_features == 4 and lesson.readouts["verb"].in_features == 8
    assert lesson.loss(said(GOALS), [str(goal) for goal in GOALS]) < 0.05
    names = ["", *SHAPES]
    for shape in SHAPES:  # a bar too, as a target
        asked = tokens([Goal("put", Thing("can"), target=Thing(shape))])[:, 1]
        assert names[lesson.readouts["shape"](asked).argmax()] == shape


def test_one_question_tells_them_apart_by_readouts_of_their_own():
    lesson = learnt(1)
    assert set(lesson.readouts) == {"verb", "object_shape", "target_shape"}
    assert lesson.readouts["object_shape"].out_features == 3 == lesson.readouts["target_shape"].out_features
    assert lesson.loss(said(GOALS), [str(goal) for goal in GOALS]) < 0.05


def in_symbols(goals: list[Goal], symbols: Symbols) -> Sentence:
    found, named = symbols(tokens(goals))
    return Sentence(found, found, torch.ones(found.shape[:2], dtype=torch.bool), named)


def test_symbols_mean_what_the_lesson_says_whichever_thing_is_told():
    torch.manual_seed(0)
    symbols, lesson = Symbols(2, 4, count=16), Reading(SENTENCES, size=9 * 4, questions=2, symbols=16)
    assert not list(lesson.parameters())
    learner = torch.optim.Adam(symbols.parameters(), lr=0.1)
    for _ in range(200):
        learner.zero_grad()
        lesson.loss(in_symbols(GOALS, symbols), [str(goal) for goal in GOALS]).backward()
        learner.step()
    assert lesson.loss(in_symbols(GOALS, symbols), [str(goal) for goal in GOALS]) < 0.05
    bar = in_symbols([Goal("lift", Thing("bar"))], symbols).tokens[0, 0]
    target = in_symbols([Goal("put", Thing("can"), target=Thing("bar"))], symbols).tokens[0, len(THING)]
    assert torch.allclose(bar, target, atol=0.2)  # as a target too, which it never was


def test_a_name_mostly_keeps_its_symbol_whatever_others_there_are():
    few = Reading(SENTENCES, size=1, questions=2, symbols=64)
    more = [Goal("lift", Thing(shape)) for shape in ("ball", "bottle", "door", "peg")]
    many = Reading({goal: [str(goal)] for goal in (*GOALS, *more)}, size=1, questions=2, symbols=64)
    places = [dict(zip(one._names["shape"], one._places["shape"], strict=True)) for one in (few, many)]
    assert len(set(places[1].values())) == len(places[1])
    assert sum(places[0][name] == places[1][name] for name in SHAPES) >= 2


def test_too_few_symbols_are_refused():
    with pytest.raises(UserError, match=r"3 symbols cannot tell 4 names apart: , bar, can, cube"):
        Reading(SENTENCES, size=1, questions=2, symbols=3)
