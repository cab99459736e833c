"""The looking lesson is low where a map lies on the thing, and not given where no picture has it."""

import numpy as np
import torch

from mmil.algos.looking import around, looking_loss
from mmil.contracts import Batch

GRID = (4, 8)
ABOVE = torch.tensor([0.0, 0, 1, 0, 0, 0, 1, np.pi / 2]).float()  # a camera that shows [−1, 1]² at z = 0


def lesson(place, *, row, column, asked=1):
    maps = torch.full((1, 1, 2, GRID[0] * GRID[1]), -20.0)
    maps[0, 0, 0, row * GRID[1] + column] = 0.0
    elsewhere = [-0.9, -0.9, 0.0, 0, 0, 0, 1]
    poses = torch.tensor([[[elsewhere, [*place, 0.0, 0, 0, 0, 1]]]]).float()
    batch = Batch(
        images={},
        signals={"camera_front": ABOVE.expand(1, 1, 8)},
        instruction=["lift it"],
        actions=torch.zeros(1, 1, 1),
        valid=torch.ones(1, 1, dtype=torch.bool),
        privileged={"body_poses": poses},
        asked=torch.tensor([asked]),
    )
    return looking_loss({"front": maps}, batch, grids={"front": GRID}, aspects={"front": 1.0}).item()


def test_a_map_on_the_thing_costs_nothing_and_one_beside_it_much():
    middle_of_cell = (0.375, 0.75)  # column 5 of 8, row 0 of 4
    assert lesson(middle_of_cell, row=0, column=5) < 1e-6
    assert lesson(middle_of_cell, row=0, column=4) > 19
    assert lesson(middle_of_cell, row=3, column=5) > 19  # upside down


def both(*, second: int, target: int) -> float:
    """Of a camera whose first point lies on the object in column 5, and whose second in column `second`."""
    maps = torch.full((1, 1, 2, GRID[0] * GRID[1]), -20.0)
    maps[0, 0, 0, 5], maps[0, 0, 1, second] = 0.0, 0.0
    batch = Batch(
        images={},
        signals={"camera_front": ABOVE.expand(1, 1, 8)},
        instruction=["put it in there"],
        actions=torch.zeros(1, 1, 1),
        valid=torch.ones(1, 1, dtype=torch.bool),
        privileged={"body_poses": torch.tensor([[[[0.375, 0.75, 0, 0, 0, 0, 1], [-0.625, 0.75, 0, 0, 0, 0, 1]]]])},
        asked=torch.tensor([0]),
        target=torch.tensor([target]),
    )
    told = {"grids": {"front": GRID}, "aspects": {"front": 1.0}}
    alone = looking_loss({"front": maps[:, :, :1]}, batch, **told)
    assert alone < 1e-6  # a policy of one point looks at the object
    return looking_loss({"front": maps}, batch, **told).item()


def test_the_second_point_belongs_on_the_target_where_there_is_one():
    assert both(second=1, target=1) < 1e-6
    assert both(second=5, target=1) > 9  # half of the two lessons
    assert both(second=5, target=-1) < 1e-6


def test_a_thing_out_of_the_picture_teaches_nothing():
    assert lesson((1.5, 0.0), row=0, column=0) == 0.0


def test_a_thing_that_nobody_named_teaches_nothing():
    assert lesson((0.375, 0.75), row=3, column=0, asked=-1) == 0.0


def test_weights_around_a_place_sum_to_one_and_mean_it():
    places = torch.rand(50, 2) * 1.2 - 0.6
    weights = around(places, GRID)
    rows, columns = ((torch.arange(size) + 0.5) * 2 / size - 1 for size in GRID)
    cells = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)
    assert torch.allclose(weights.sum(dim=1), torch.ones(50))
    assert torch.allclose(weights @ cells, places, atol=1e-6)  # inside the middles of the outermost cells
