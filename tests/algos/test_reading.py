"""Reading lessons: with a question for each thing of a goal, both things are told alike."""

import torch

from mmil.algos.reading import Reading
from mmil.contracts import Goal, Thing

SHAPES = ("bar", "can", "cube")
# a bar is never a target
GOALS = [Goal("put", Thing(one), target=Thing(other)) for one in SHAPES for other in SHAPES[1:] if one != other]
GOALS += [Goal("lift", Thing(shape)) for shape in SHAPES]
SENTENCES = {goal: [str(goal)] for goal in GOALS}


def tokens(goals: list[Goal]) -> torch.Tensor:
    """(B, 2, D): the object's word, then the target's."""
    words = [[thing.shape if thing else "" for thing in (goal.object, goal.target)] for goal in goals]
    return torch.eye(4)[torch.tensor([[("", *SHAPES).index(word) for word in both] for both in words])]


def learnt(questions: int) -> Reading:
    torch.manual_seed(0)
    lesson = Reading(SENTENCES, size=8, questions=questions)
    learner = torch.optim.Adam(lesson.parameters(), lr=0.1)
    for _ in range(200):
        learner.zero_grad()
        lesson.loss(tokens(GOALS), [str(goal) for goal in GOALS]).backward()
        learner.step()
    return lesson


def test_one_readout_reads_object_and_target():
    lesson = learnt(2)
    assert set(lesson.readouts) == {"verb", "shape"}  # of manners, relations and colours there is one each
    assert lesson.readouts["shape"].in_features == 4 and lesson.readouts["verb"].in_features == 8
    assert lesson.loss(tokens(GOALS), [str(goal) for goal in GOALS]) < 0.05
    names = ["", *SHAPES]
    for shape in SHAPES:  # a bar too, as a target
        asked = tokens([Goal("put", Thing("can"), target=Thing(shape))])[:, 1]
        assert names[lesson.readouts["shape"](asked).argmax()] == shape


def test_one_question_tells_them_apart_by_readouts_of_their_own():
    lesson = learnt(1)
    assert set(lesson.readouts) == {"verb", "object_shape", "target_shape"}
    assert lesson.readouts["object_shape"].out_features == 3 == lesson.readouts["target_shape"].out_features
    assert lesson.loss(tokens(GOALS), [str(goal) for goal in GOALS]) < 0.05
