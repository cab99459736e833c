"""The moving average of weights: where it lies, and what of held-out windows is said of it."""

from dataclasses import replace

import pytest
import torch

from tests.learning import tiny_batch, tiny_module


def test_averages_of_a_checkpoint_follow_the_weights_to_their_device():
    module = tiny_module()
    averaged = {name: value.detach().clone() for name, value in module._trained.items()}
    module.on_load_checkpoint({"averaged": averaged, "state_dict": {}, "optimizer_states": []})
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


def test_the_loss_of_held_out_windows_does_not_depend_on_the_batches_they_came_in(monkeypatch):
    module, told = tiny_module().eval(), []
    monkeypatch.setattr(module, "log", lambda name, value, **options: told.append((value, options["batch_size"])))
    batch = replace(tiny_batch(6), weight=torch.tensor([1.0, 0.0, 0.25, 0.25, 0.5, 1.0]))
    batch.valid[1:3, 2:] = False

    def mean(*parts: slice) -> float:
        told.clear()
        for part in parts:
            with torch.no_grad():
                module.validation_step(cut(batch, part), 0)
        return sum(float(value) * size for value, size in told) / sum(size for _, size in told)

    whole = mean(slice(0, 6))
    assert mean(slice(0, 2), slice(2, 6)) == pytest.approx(whole, rel=1e-5)
    assert mean(*(slice(row, row + 1) for row in range(6))) == pytest.approx(whole, rel=1e-5)


def cut(batch, rows: slice):
    """These windows of it."""
    images = {name: pictures[rows] for name, pictures in batch.images.items()}
    signals = {name: values[rows] for name, values in batch.signals.items()}
    plain = {name: getattr(batch, name)[rows] for name in ("instruction", "actions", "valid", "weight")}
    return replace(batch, images=images, signals=signals, **plain)
