"""Frames to H.264 that every browser plays, and back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from mmil.contracts import UserError


def side_by_side(frames: Mapping[str, np.ndarray], *, scale: int = 2) -> np.ndarray:
    """{camera: uint8 (T, h, w, 3)} → uint8 (T, H, W, 3): cameras left to right, nearest neighbour, even sides."""
    lengths = {name: len(array) for name, array in frames.items()}
    if not frames or len(set(lengths.values())) != 1 or not min(lengths.values()):
        raise ValueError(f"every camera needs the same number of frames, at least one; got {lengths}")
    enlarged = [array.repeat(scale, axis=1).repeat(scale, axis=2) for array in frames.values()]
    height = max(array.shape[1] for array in enlarged)
    width = sum(array.shape[2] for array in enlarged)
    # yuv420p halves both sides of the chroma planes, so both must be even
    canvas = np.zeros((len(enlarged[0]), height + height % 2, width + width % 2, 3), dtype=np.uint8)
    left = 0
    for array in enlarged:
        canvas[:, : array.shape[1], left : left + array.shape[2]] = array
        left += array.shape[2]
    return canvas


def write_video(path: Path, frames: Mapping[str, np.ndarray], *, control_hz: float, scale: int = 2) -> Path:
    """Write {camera: uint8 (T, h, w, 3)} as an mp4 at the speed of the robot; appears whole or not at all."""
    canvas = side_by_side(frames, scale=scale)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _encode(partial, canvas, rate=Fraction(control_hz).limit_denominator(1000))
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:  # a full disk, a folder one may not write to
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path


def _encode(path: Path, canvas: np.ndarray, *, rate: Fraction) -> None:
    import av

    # faststart puts the index first, so that a browser can play before it has read the end
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "23", "preset": "veryfast"})
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = canvas.shape[1:3]
        stream.codec_context.thread_count = 1  # evaluation runs one such encoder a worker
        for image in canvas:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def read_video(path: Path) -> np.ndarray:
    """uint8 (T, H, W, 3) RGB."""
    import av

    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
