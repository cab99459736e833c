"""Depth tokens: what was not measured changes nothing, and coarse depth says what fine depth does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmil.contracts import Observation, UserError
from mmil.encoders import DepthTokens
from mmil.encoders.depth import GRID, on_grid
from mmil.runner import Runner
from tests.learning import SPEC, tiny_batch, tiny_policy, unit_stats

DEEP = replace(SPEC, maps={f"{camera}.depth": (64, 64) for camera in SPEC.cameras})


def depth(size: int = 3) -> dict[str, torch.Tensor]:
    return {name: 0.3 + torch.rand(size, 2, 1, 64, 64) for name in DEEP.maps}


def test_a_token_an_observation_and_a_gradient_for_all_of_it():
    part = DepthTokens(DEEP, width=32)
    tokens = part(depth())
    assert tokens.shape == (3, 2, 32)
    tokens.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in part.parameters())


def test_what_is_not_known_does_not_count():
    known = torch.rand(5, 1, 64, 64) + 0.5
    holes = torch.where(torch.rand_like(known) < 0.3, 0.0, known)
    found = on_grid(holes)
    assert found.shape == (5, 1, GRID, GRID) and (found >= 0.5).all()  # a mean with zeros would be lower
    cell = holes[0, 0, :4, :4]
    assert found[0, 0, 0, 0] == pytest.approx(cell[cell > 0].mean().item(), rel=1e-5)
    assert (on_grid(torch.zeros(1, 1, 64, 64)) == 0).all() and torch.equal(on_grid(found), found)
    part = DepthTokens(DEEP, width=32)
    assert torch.isfinite(part(dict.fromkeys(DEEP.maps, torch.zeros(1, 1, 1, 64, 64)))).all()


def test_coarse_and_fine_are_one():
    part, fine = DepthTokens(DEEP, width=32), depth()
    coarse = {name: on_grid(maps.flatten(0, 1)).unflatten(0, (3, 2)) for name, maps in fine.items()}
    assert torch.equal(part(fine), part(coarse))


def test_data_and_batches_without_depth_are_refused():
    with pytest.raises(UserError, match="no depth among the maps of the data; there are none"):
        DepthTokens(SPEC)
    with pytest.raises(UserError, match=r"no depth wrist.depth in the batch; train with maps: \[depth\]"):
        DepthTokens(DEEP)({"front.depth": torch.ones(1, 1, 1, 64, 64)})


def test_a_policy_and_its_runner_read_it():
    from functools import partial

    policy = tiny_policy(depth=partial(DepthTokens, width=32), hide={"depth": 0.5})(DEEP, unit_stats(DEEP))
    batch = tiny_batch(3)
    batch.maps = {name: maps[:, :1] for name, maps in depth().items()}
    for _ in range(16):  # in some of which it is hidden from some samples and not from others
        policy.loss(batch).backward()
    assert policy.hiding.tokens["depth"].grad is not None and policy.depth.join.weight.grad.abs().sum() > 0
    images = {name: np.zeros((64, 64, 3), np.uint8) for name in SPEC.cameras}
    signals = {name: np.ones(shape, np.float32) for name, shape in SPEC.signals.items()}
    near, far = ({name: np.full((64, 64), mm, np.uint16) for name in DEEP.maps} for mm in (300, 3000))
    answers = [Runner(policy).act(Observation(images, signals, "lift it", maps)) for maps in (near, far)]
    assert not np.allclose(*answers)
    with pytest.raises(UserError, match=r"the policy needs front.depth, wrist.depth; there are no maps"):
        Runner(policy).act(Observation(images, signals, "lift it"))
