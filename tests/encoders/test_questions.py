"""A second question is put to the same layers: a target is found by what was learnt of things."""

import pytest
import torch

from mmil.contracts import UserError
from mmil.encoders import FilmFusion, Sizes
from mmil.encoders.language import Sentence

GRID, TOKEN, KINDS, SHOWN = (6, 6), 16, 8, 4


def fusion(**options) -> FilmFusion:
    torch.manual_seed(0)
    sizes = Sizes({"front": GRID}, token=TOKEN, sentence=2, others=0, aspects={"front": 1.0}, past=1)
    return FilmFusion(sizes, width=8, **{"points": 4, "questions": 2, **options})


def pictures(count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Things of different kinds in random cells; the kinds of two of them (B, 2), and in which cells these are."""
    tokens = torch.zeros(count, 1, GRID[0] * GRID[1], TOKEN)
    kinds = torch.rand(count, KINDS, generator=generator).argsort(dim=1)[:, :SHOWN]
    cells = torch.rand(count, GRID[0] * GRID[1], generator=generator).argsort(dim=1)[:, :SHOWN]
    tokens[torch.arange(count)[:, None], 0, cells] = torch.eye(TOKEN)[kinds]
    return tokens, kinds[:, :2], cells[:, :2]


def looks(policy: FilmFusion, tokens: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
    """(B, points, N), logarithms."""
    words = torch.eye(TOKEN)[asked]
    sentence = Sentence(words, words, torch.ones(words.shape[:2], dtype=torch.bool))
    return policy({"front": tokens}, sentence, signals={}).looks["front"][:, 0]


def test_what_was_learnt_of_things_finds_targets():
    policy, generator = fusion(), torch.Generator().manual_seed(1)
    learner = torch.optim.Adam(policy.parameters(), lr=0.01)
    for _ in range(150):
        tokens, asked, cells = pictures(64, generator)
        learner.zero_grad()
        torch.nn.functional.nll_loss(looks(policy, tokens, asked)[:, 0], cells[:, 0]).backward()
        learner.step()
    tokens, asked, cells = pictures(256, generator)
    found = looks(policy, tokens, asked).argmax(dim=2)
    assert (found[:, 0] == cells[:, 0]).float().mean() > 0.95
    assert (found[:, 1] == cells[:, 1]).float().mean() > 0.95  # which it was never taught


def test_one_question_is_not_two():
    tokens, asked, _ = pictures(8, torch.Generator().manual_seed(1))
    for questions, alone in ((2, True), (1, False)):
        policy = fusion(questions=questions)
        before, after = (looks(policy, tokens, words) for words in (asked, torch.stack([asked[:, 0], asked[:, 0]], 1)))
        assert torch.equal(before[:, 0], after[:, 0]) == alone  # the first point does not hear the second word
        assert not torch.equal(before[:, 1], after[:, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 3}, "3 points cannot be shared by 2 questions alike"),
        ({"points": 6, "questions": 3}, r"2 tokens a sentence \(`queries`\) cannot be shared by 3 questions alike"),
    ],
)
def test_questions_share_alike(options, message):
    with pytest.raises(UserError, match=message):
        fusion(**options)
