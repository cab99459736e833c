"""The moving average of weights: where it lies, and which numbers of a run are said of it."""

import torch

from tests.learning import tiny_module


def test_averages_of_a_checkpoint_follow_the_weights_to_their_device():
    module = tiny_module()
    averaged = {name: value.detach().clone() for name, value in module._trained.items()}
    module.on_load_checkpoint({"averaged": averaged, "state_dict": {}})
    assert {value.device.type for value in module.averaged.values()} == {"cpu"}
    module.to("meta")  # as a strategy moves it to a GPU, once its checkpoint has been read
    del module._trained  # a move to meta, unlike one to a GPU, makes new parameters
    module.on_train_start()
    assert {value.device.type for value in module.averaged.values()} == {"meta"}
    assert module.averaged.keys() == averaged.keys()


def test_averages_that_are_in_place_are_left_there():
    module = tiny_module()
    module.averaged = {name: torch.zeros_like(value) for name, value in module._trained.items()}
    before = dict(module.averaged)
    module.on_train_start()
    assert all(module.averaged[name] is before[name] for name in before)
