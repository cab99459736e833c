"""Cameras put by hand: by angles or by position it is the same camera, and a slip is one line."""

import numpy as np
import pytest

from mmil.contracts import UserError
from mmil.scenes.cameras import orbit
from mmil.scenes.pose import posed


def drawn():
    position, quaternion = orbit(np.array([0, 0, 0.87]), azimuth=5, elevation=40, distance=0.8, roll=1)
    return {
        "band": "train",
        "position": position.tolist(),
        "quaternion_wxyz": quaternion.tolist(),
        "fovy": 43.0,
        "look_at": [0.0, 0.0, 0.87],
        **{"azimuth": 5.0, "elevation": 40.0, "distance": 0.8, "roll": 1.0},
    }


def test_a_camera_put_by_angles_or_by_position_is_the_same_one():
    by_angles = posed("front", drawn(), {"azimuth": 60, "elevation": 20, "distance": 1.1})
    by_position = posed("front", drawn(), {"position": by_angles["position"]})
    for name in ("azimuth", "elevation", "distance", "position", "quaternion_wxyz"):
        assert np.allclose(by_angles[name], by_position[name]), name
    assert by_angles["band"] == "given"
    assert posed("front", drawn(), {})["position"] == pytest.approx(drawn()["position"])


@pytest.mark.parametrize(
    "given", [{"azimut": 3}, {"fovy": "wide"}, {"fovy": 0}, {"position": [1, 2]}, {"look_at": [0, 0, float("nan")]},
              {"distance": -1}, {"position": [0, 0, 0.87]}, {"band": "train"}, "left"]
)  # fmt: skip
def test_a_camera_that_cannot_be_put_there_is_one_line(given):
    with pytest.raises(UserError, match="camera front"):
        posed("front", drawn(), given)
