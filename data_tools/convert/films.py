"""Frames of several episodes in one mp4, as LeRobot v3 keeps them, and back: by their times, in order."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_tools.convert.notes import Fidelity
from data_tools.convert.takes import Unfit, Writing

COMPARED = 32  # frames of a film that are decoded again and compared
APART = 1e-3  # [s], by which a frame may miss its time: LeRobot's own writers round a little


class FilmWriter:
    """H.264 with a key frame every second one, so that any is found at once."""

    def __init__(self, path: Path, shape: tuple[int, ...], *, fps: int, writing: Writing) -> None:
        self.path, self.frames, self._tick = path, 0, Fraction(1, fps)
        self.pix_fmt = "yuv444p" if shape[0] % 2 or shape[1] % 2 else writing.pix_fmt  # 4:2:0 halves both sides
        self._kept: dict[int, np.ndarray] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(path), "w", format="mp4")
        options = {"crf": str(writing.crf), "g": "2", "bf": "0", "preset": "medium"}
        self._stream = self._container.add_stream("libx264", rate=fps, options=options)
        self._stream.pix_fmt, self._stream.height, self._stream.width = self.pix_fmt, *shape[:2]
        self._stream.codec_context.thread_count = 1  # the same frames give the same bytes
        self._stream.codec_context.time_base = self._tick

    @property
    def size(self) -> int:
        """[bytes] on the disk so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def add(self, frames: np.ndarray) -> None:
        """Append uint8 (N, h, w, 3)."""
        for image in frames:
            if self.frames % 7 == 0 and len(self._kept) < COMPARED:
                self._kept[self.frames] = image.copy()
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = self.frames, self._tick
            self._container.mux(self._stream.encode(frame))
            self.frames += 1

    def finish(self, loss: Fidelity) -> None:
        """Close the file, then decode it: every frame must be there, and some tell how much was lost."""
        self._container.mux(self._stream.encode())
        self._container.close()
        found = 0
        with av.open(str(self.path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                found += 1
                if number in self._kept:
                    loss.add(self._kept[number], frame.to_ndarray(format="rgb24"))
        if found != self.frames:
            raise OSError(f"{self.path.name} holds {found} of {self.frames} frames: the encoder lost some")

    def close(self) -> None:
        """Give the file back, finished or not."""
        self._container.close()


class FilmReader:
    """One mp4, decoded from front to back; an episode further back begins it anew."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self._shape = path, shape
        self._container: av.container.InputContainer | None = None
        self._frames: Iterator[tuple[float, av.VideoFrame]] = iter(())
        self._ahead: tuple[float, av.VideoFrame] | None = None

    def read(self, start: float, count: int, *, fps: float) -> np.ndarray:
        """uint8 (count, h, w, 3): the frames at start, start + 1 / fps … [s]."""
        apart = min(APART, 0.25 / fps)
        try:
            if self._container is None or (self._ahead is not None and self._ahead[0] > start + apart):
                self._rewind()
            frames = np.empty((count, *self._shape), np.uint8)
            for number in range(count):
                frames[number] = self._at(start + number / fps, apart)
            return frames
        except Unfit:
            self.close()
            raise
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.close()
            raise Unfit(f"{self.path.name} cannot be decoded, it is damaged or cut short: {error}") from None

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def _at(self, time: float, apart: float) -> np.ndarray:
        while self._ahead is not None and self._ahead[0] < time - apart:
            self._ahead = next(self._frames, None)
        if self._ahead is None or self._ahead[0] > time + apart:
            there = "it ends before" if self._ahead is None else f"the next one is at {self._ahead[0]:.4f} s"
            raise Unfit(f"{self.path.name} has no frame at {time:.4f} s; {there}")
        frame = self._ahead[1]
        if (frame.height, frame.width) != self._shape[:2]:
            raise Unfit(f"{self.path.name} has frames of {frame.height}×{frame.width}, the feature says {self._shape}")
        return frame.to_ndarray(format="rgb24")

    def _rewind(self) -> None:
        self.close()
        self._container = av.open(str(self.path))
        if not self._container.streams.video:
            raise Unfit(f"{self.path.name} holds no pictures")
        stream = self._container.streams.video[0]
        if stream.codec_context is None:
            raise Unfit(f"{self.path.name} is in no format that can be decoded here")
        size = (stream.codec_context.height, stream.codec_context.width)
        if size != self._shape[:2]:
            raise Unfit(f"{self.path.name} is {size[0]}×{size[1]}, the feature says {self._shape}")
        base = stream.time_base or Fraction(1, 90_000)
        decoded = self._container.decode(stream)
        self._frames = ((float(frame.pts * base), frame) for frame in decoded if frame.pts is not None)
        self._ahead = next(self._frames, None)
