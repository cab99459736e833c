"""Fast rendering shows what stock rendering shows: structural similarity (Wang 2004) of the same states."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from mmil.scenes import Tabletop
from mmil.scenes.classic import PickPlace

SEEDS = (1, 2, 3)
LEAST = 0.9


@pytest.mark.parametrize("make", [Tabletop, PickPlace])
def test_fast_pictures_are_like_the_stock_ones(make):
    fast, stock, found = make(rendering="fast"), make(rendering="stock"), defaultdict(list)
    try:
        for seed in SEEDS:
            fast.reset(seed)
            for _ in range(8):
                fast.step(np.array([0.3, 0.1, -0.4, 0, 0, 0, -1]))
            seen = [scene.show(fast.draws, fast.simulator_state()) for scene in (fast, stock)]
            for camera in fast.spec.cameras:
                found[camera].append(similarity(*(images[camera] for images in seen)))
    finally:
        fast.close()
        stock.close()
    means = {camera: float(np.mean(values)) for camera, values in found.items()}
    print(make.__name__, {camera: round(value, 3) for camera, value in means.items()})
    assert all(value >= LEAST for value in means.values()), means


def similarity(*images):
    one, other = (torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() for image in images)
    return float(structural_similarity_index_measure(one, other, data_range=255.0))
