"""Films are whole, play in browsers, and show what was put in."""

from fractions import Fraction

import av
import numpy as np
import pytest

from mmil.contracts import UserError
from mmil.evaluation.video import read_video, side_by_side, write_video


def frames(count: int = 7, height: int = 20, width: int = 30) -> np.ndarray:
    """A grey ramp over time with a red left half."""
    images = np.zeros((count, height, width, 3), np.uint8)
    images += np.linspace(20, 220, count, dtype=np.uint8)[:, None, None, None]
    images[:, :, : width // 2] = (200, 30, 30)
    return images


def test_film_has_every_frame_at_the_speed_of_the_robot(tmp_path):
    path = write_video(tmp_path / "videos" / "3-success.mp4", {"front": frames(), "wrist": frames()}, control_hz=20)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == Fraction(20)
        assert (stream.height, stream.width) == (40, 120)
        assert sum(1 for _ in container.decode(stream)) == 7


def test_film_shows_what_was_put_in(tmp_path):
    path = write_video(tmp_path / "a.mp4", {"front": frames(), "wrist": 255 - frames()}, control_hz=12.5)
    shown, meant = read_video(path), side_by_side({"front": frames(), "wrist": 255 - frames()})
    assert shown.shape == meant.shape
    assert np.abs(shown.astype(int) - meant).mean() < 8


def test_index_comes_first_so_that_browsers_start_at_once(tmp_path):
    content = write_video(tmp_path / "a.mp4", {"front": frames()}, control_hz=20).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_odd_and_unequal_cameras_fit():
    canvas = side_by_side({"a": frames(height=15, width=11), "b": frames(height=20, width=8)}, scale=1)
    assert canvas.shape == (7, 20, 20, 3)  # 11 + 8 made even
    assert (canvas[:, 15:, :11] == 0).all()


def test_nothing_half_written_is_left(tmp_path):
    for given in ({}, {"a": frames(0)}, {"a": frames(3), "b": frames(4)}):
        with pytest.raises(ValueError, match="same number of frames"):
            write_video(tmp_path / "a.mp4", given, control_hz=20)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        write_video(tmp_path / "file" / "a.mp4", {"a": frames()}, control_hz=20)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
