"""Demonstrations of a lower quality count less, and exactly so."""

import dataclasses

import pytest
import torch

from mmil.contracts import UserError
from mmil.data.cache import write_features
from mmil.data.dataset import Dataset
from mmil.data.module import WindowData
from mmil.heads import Mixture, Regression
from tests.data.conftest import counting_episode, write_dataset

QUALITIES = ("expert", "sloppy", "failing")


@pytest.fixture(scope="module")
def graded(tmp_path_factory, spec) -> Dataset:
    episodes = [
        dataclasses.replace(counting_episode(number, 5 + number, spec=spec), quality=QUALITIES[number % 3])
        for number in range(6)
    ]
    return Dataset.open(write_dataset(tmp_path_factory.mktemp("graded"), episodes, spec=spec))


@pytest.mark.parametrize("cached", [False, True])
def test_each_window_weighs_what_its_quality_does(graded, mean_features, tmp_path, cached):
    if cached:
        write_features(graded.path, tmp_path, mean_features, fingerprint={})
    options = {"path": graded.path, "cache": tmp_path if cached else None, "validation": 0.0, "batch_size": 8}
    module = WindowData(**options, workers=0, weights={"sloppy": 0.25, "failing": 0.0})
    module.setup()
    for batch in module.train_dataloader():
        episodes = [int(number) // 100 for number in batch.signals["gripper_pos"][:, -1]]
        assert batch.weight.tolist() == [(1.0, 0.25, 0.0)[number % 3] for number in episodes]
    assert all(batch.weight is None for batch in WindowData(**options, workers=0).train_dataloader())


def test_a_quality_that_is_not_there_and_a_weight_below_nothing_are_refused(graded):
    with pytest.raises(UserError, match="no quality 'slopy' to weigh; there are"):
        WindowData(path=graded.path, weights={"slopy": 0.3}, validation=0.0).setup()
    with pytest.raises(UserError, match=r"weights has sloppy: -1"):
        WindowData(path=graded.path, weights={"sloppy": -1})


@pytest.mark.parametrize("make", [Regression, Mixture])
def test_a_weight_of_one_half_is_half_a_window(make):
    """Twice the windows of weight ½ are the windows: in the loss and in every gradient."""
    torch.manual_seed(0)
    head, context, actions = make(6, (4, 3)), torch.randn(5, 6), torch.rand(5, 4, 3)
    valid = torch.rand(5, 4) < 0.7
    valid[:, 0] = True

    def learnt(rows, weight):
        head.zero_grad()
        weighed = valid[rows] * weight[:, None]
        loss = head.loss(context[rows], actions[rows], weighed)
        loss.backward()
        return loss.detach(), [parameter.grad.clone() for parameter in head.parameters()]

    rows = torch.arange(5)
    once = learnt(rows, torch.tensor([1.0, 0.5, 0.5, 0.0, 0.01]))
    twice = learnt(torch.tensor([0, 1, 2, 0, 1, 2, 4]), torch.tensor([0.5, 0.25, 0.25, 0.5, 0.25, 0.25, 0.01]))
    assert torch.allclose(once[0], twice[0]) and once[0] > 0
    assert all(torch.allclose(*pair, atol=1e-7) for pair in zip(once[1], twice[1], strict=True))
    plain, _ = learnt(rows[:3], torch.ones(3))
    assert torch.allclose(learnt(rows[:3], torch.full((3,), 0.01))[0], plain)  # a mean: all alike is all alike
