"""Where cached features lie inside a sample, so that any frame of any episode is one read away.

After json and npz, which it shares with the data set it was made from, it ends with arrays as np.save writes them:
<key>.rows.npy                float32 (T+1, D): signals, privileged state, actions and labels side by side; 0 where
                              frame T has none
<key>.<camera>.<stage>.npy    float16 (T+1, C, h', w')
Their sizes follow from T and the shapes, so their places follow from where the sample ends, without another index.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mmil.contracts import Spec
from mmil.data.sample import BLOCK, per_frame

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The arrays at the end of a sample: one of rows, then one a camera and stage."""

    spec: Spec
    shapes: Mapping[str, tuple[Shape, ...]]  # camera → (C, h', w') a stage

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Layout:
        cameras = manifest["features"]["cameras"]
        shapes = {name: tuple(tuple(shape) for shape in camera["shapes"]) for name, camera in cameras.items()}
        return cls(Spec.from_json(manifest["spec"]), shapes)

    @cached_property
    def columns(self) -> dict[str, slice]:
        """Where each signal, each privileged one, "actions" and "labels" stand in a row."""
        axes = len(self.spec.action)
        widths = {name: math.prod(shape) for name, shape in per_frame(self.spec).items()}
        widths |= {"actions": axes, "labels": axes}
        ends = np.cumsum(list(widths.values())).tolist()
        return {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}

    @cached_property
    def arrays(self) -> tuple[tuple[str, Shape, np.dtype], ...]:
        """Suffix, shape of one frame and type of every array, in order."""
        rows = ("rows.npy", (self.columns["labels"].stop,), np.dtype(np.float32))
        stages = (
            (f"{camera}.{stage}.npy", shape, np.dtype(np.float16))
            for camera, shapes in self.shapes.items()
            for stage, shape in enumerate(shapes)
        )
        return (rows, *stages)

    def places(self, steps: int) -> list[int]:
        """Where the data of every array begin, in bytes before the end of a sample of `steps` actions."""
        starts, end = [], 0
        for _, shape, kind in reversed(self.arrays):
            header = len(npy_header((steps + 1, *shape), kind))
            size = header + (steps + 1) * math.prod(shape) * kind.itemsize
            end += size + -size % BLOCK + BLOCK
            starts.append(end - BLOCK - header)
        return starts[::-1]

    def pack(self, arrays: Mapping[str, np.ndarray], features: Mapping[str, list[np.ndarray]]) -> Iterator[tuple]:
        """Suffix and bytes of every array of an episode."""
        steps = len(arrays["labels"])
        rows = np.zeros((steps + 1, self.columns["labels"].stop), np.float32)
        for name, columns in self.columns.items():
            rows[: len(arrays[name]), columns] = arrays[name].reshape(len(arrays[name]), -1)
        flat = [rows, *(stage for camera in self.shapes for stage in features[camera])]
        for (suffix, _, kind), array in zip(self.arrays, flat, strict=True):
            yield suffix, npy_header(array.shape, kind) + np.ascontiguousarray(array, kind).tobytes()


def npy_header(shape: Shape, kind: np.dtype) -> bytes:
    """The bytes before the data of an array in C order, as np.save writes them."""
    buffer = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, about)
    return buffer.getvalue()
