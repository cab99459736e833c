"""Where a cell is said to lie is where the thing seen in it stands, for both cameras and wherever they are."""

import colorsys

import numpy as np
import pytest
import torch

from mmil.encoders.geometry import ground_places
from mmil.pinhole import picture_place, rotate
from mmil.scenes import Randomisation, Tabletop


@pytest.mark.parametrize("band", ["train", "held_out"])
def test_things_are_seen_where_their_place_says(band):
    scene, found, looked = Tabletop(randomisation=Randomisation(cameras=band)), 0, 0
    try:
        for seed in range(0, 24, 2):
            observation = scene.reset(seed).observation
            hand = torch.tensor(observation.signals["eef_pos_world"])
            for camera in ("front", "wrist"):
                image = observation.images[camera]
                for item in scene.draws["objects"]:
                    top = torch.tensor(0.8 + 2 * item["half_size"][2])
                    pose = torch.tensor(observation.signals[f"camera_{camera}"])
                    places = ground_places(pose, hand, grid=image.shape[:2], height=top).numpy()
                    gaps = np.linalg.norm(places + hand.numpy()[:2] - item["position"], axis=1)
                    if gaps.min() > 0.006:
                        continue  # out of the picture
                    row, column = np.unravel_index(gaps.argmin(), image.shape[:2])
                    seen, drawn = (colorsys.rgb_to_hsv(*rgb)[0] for rgb in (image[row, column] / 255, item["rgb"]))
                    looked += 1
                    found += abs((seen - drawn + 0.5) % 1 - 0.5) < 0.05
    finally:
        scene.close()
    # the arm hides some
    assert looked > 40 and found > 0.85 * looked, f"{found} of {looked}"


def test_rotate_is_what_the_matrix_does():
    half = np.pi / 4
    quaternion = torch.tensor([0.0, 0.0, np.sin(half), np.cos(half)]).float()  # a quarter turn about z
    assert torch.allclose(rotate(quaternion, torch.tensor([[1.0, 0, 0]])), torch.tensor([[0.0, 1, 0]]), atol=1e-6)


def test_rays_to_the_sky_stay_in_reach():
    up = torch.tensor([0.0, 0, 1, 0, np.sin(np.pi / 2), 0, np.cos(np.pi / 2), 1.0]).float()
    places = ground_places(up, torch.zeros(3), grid=(4, 4), height=torch.tensor(0.8))
    assert torch.isfinite(places).all() and places.abs().max() <= 0.6


@pytest.mark.parametrize("camera", ["front", "wrist"])
def test_a_point_of_the_ground_is_shown_where_its_cell_is(camera):
    scene = Tabletop()
    try:
        signals = scene.reset(3).observation.signals
    finally:
        scene.close()
    pose, hand = torch.tensor(signals[f"camera_{camera}"]), torch.tensor(signals["eef_pos_world"])
    grid, height = (6, 9), torch.tensor(0.82)
    places = ground_places(pose, hand, grid=grid, height=height, aspect=1.5)
    points = torch.cat([places + hand[:2], height.expand(len(places), 1)], dim=1)
    shown, inside = picture_place(pose, points, aspect=1.5)
    rows, columns = ((torch.arange(size) + 0.5) * 2 / size - 1 for size in grid)
    cells = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)
    near = (places.abs() < 0.59).all(dim=1)  # the others were drawn to the rim
    assert near.sum() > 12 and inside[near].all()
    assert torch.allclose(shown[near], cells[near], atol=1e-4)


def test_what_is_behind_or_beside_a_camera_is_not_in_its_picture():
    pose = torch.tensor([0.0, 0, 1, 0, 0, 0, 1, np.pi / 2]).float()  # above, looking straight down
    points = torch.tensor([[0.0, 0, 2], [0.0, 0, 0], [0.9, -0.9, 0], [1.1, 0, 0]])
    place, inside = picture_place(pose, points)
    assert inside.tolist() == [False, True, True, False]
    assert torch.allclose(place[2], torch.tensor([0.9, 0.9]), atol=1e-6)  # below and to the right of the middle
