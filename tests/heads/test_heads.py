"""What every head keeps to, and what tells a mixture from a regression: it does not answer with the middle."""

from functools import partial

import pytest
import torch

from mmil.heads import Mixture, Regression

HEADS = {"regression": Regression, "mixture": Mixture, "one mode": partial(Mixture, modes=1)}
SIZE, CHUNK = 6, (4, 3)


@pytest.mark.parametrize("make", HEADS.values(), ids=HEADS.keys())
def test_samples_are_chunks_in_range_and_what_is_not_valid_does_not_count(make):
    head, context = make(SIZE, CHUNK), torch.randn(5, SIZE)
    assert head.sample(100 * context).shape == (5, *CHUNK)
    assert head.sample(100 * context).abs().max() <= 1
    actions, valid = torch.rand(5, *CHUNK), torch.rand(5, CHUNK[0]) < 0.6
    valid[3] = False  # a window in which nothing is imitated
    other = torch.where(valid[..., None], actions, 0.5)
    assert torch.equal(head.loss(context, actions, valid), head.loss(context, other, valid))
    nothing = head.loss(context, actions, torch.zeros_like(valid))
    nothing.backward()
    assert nothing == 0 and all(torch.isfinite(p.grad).all() for p in head.parameters() if p.grad is not None)


@pytest.mark.parametrize("norm, expected", [("l1", 2.0), ("l2", 4.0)])
def test_loss_norms(norm, expected):
    head = zeroed(Regression(SIZE, CHUNK, norm=norm))
    assert loss_of_twos(head) == pytest.approx(expected)


def test_a_mixture_of_one_is_a_regression():
    assert loss_of_twos(zeroed(Mixture(SIZE, CHUNK, modes=1))) == pytest.approx(2.0)
    assert loss_of_twos(zeroed(Mixture(SIZE, CHUNK, modes=5))) == pytest.approx(2.0)  # of equal ones too


def test_a_mixture_turns_left_or_right_and_a_regression_goes_straight():
    torch.manual_seed(0)
    sides = torch.where(torch.rand(512, 1, 1) < 0.5, -0.8, 0.8).expand(512, *CHUNK)
    found = {}
    for name in ("regression", "mixture"):
        options = {"norm": "l2"} if name == "regression" else {}
        head = HEADS[name](SIZE, CHUNK, **options)
        optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
        context = torch.randn(512, SIZE) * 0.1
        for _ in range(150):
            optimizer.zero_grad()
            head.loss(context, sides, torch.ones(512, CHUNK[0], dtype=torch.bool)).backward()
            optimizer.step()
        found[name] = head.sample(context).abs().median().item()
    assert found["mixture"] > 0.7 and found["regression"] < 0.3


def zeroed(head):
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    return head


def loss_of_twos(head) -> float:
    valid = torch.ones(1, CHUNK[0], dtype=torch.bool)
    return head.loss(torch.zeros(1, SIZE), torch.full((1, *CHUNK), 2.0), valid).item()
