"""What AdamW pulls towards zero, and how fast each weight learns."""

from types import SimpleNamespace

import pytest
import torch

from mmil.algos.sharding import by_name, by_number
from mmil.contracts import UserError
from tests.learning import tiny_module


@pytest.fixture
def module(monkeypatch):
    made = tiny_module(frozen=False)
    made.policy.fusion.ground = torch.nn.Parameter(torch.tensor(0.8))
    monkeypatch.setattr(type(made), "trainer", SimpleNamespace(estimated_stepping_batches=10))
    return made


def test_matrices_decay_and_nothing_else_does(module):
    optimizer = module.configure_optimizers()["optimizer"]
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    groups = {names[id(parameter)]: group for group in optimizer.param_groups for parameter in group["params"]}
    learnt = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert groups.keys() == learnt.keys() and sum(len(g["params"]) for g in optimizer.param_groups) == len(learnt)
    for name, parameter in learnt.items():
        assert groups[name]["weight_decay"] == (module.weight_decay if parameter.dim() > 1 else 0.0), name
        pretrained = name.startswith("policy.vision.backbone")
        scale = module.pretrained_scale if pretrained else 1.0
        assert groups[name]["initial_lr"] == pytest.approx(module.learning_rate * scale), name
    assert groups["policy.fusion.ground"]["weight_decay"] == 0.0
    assert {len(g["params"]) > 0 for g in optimizer.param_groups} == {True} and len(optimizer.param_groups) == 4


def test_a_checkpoint_of_other_groups_is_refused_in_one_line(module):
    optimizer = module.configure_optimizers()["optimizer"]
    state = optimizer.state_dict()
    assert by_number(by_name(module, optimizer, state)) == state
    together = {"params": [number for group in state["param_groups"] for number in group["params"]]}
    old = {"state": {}, "param_groups": [together]}
    with pytest.raises(UserError, match=r"groups of \[\d+\] weights, here are groups of \[\d+, \d+, \d+, \d+\]"):
        by_name(module, optimizer, old)
    with pytest.raises(UserError, match="train into a new folder"):
        module.on_load_checkpoint({"averaged": {}, "state_dict": {}, "optimizer_states": [old]})
