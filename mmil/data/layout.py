"""Where cached features lie inside a sample, so that any frame of any episode is one read away.

After json and npz, which it shares with the data set it was made from, it ends with two arrays as np.save writes them:
<key>.rows.npy                float32 (T+1, D): signals, privileged state, actions and labels side by side; 0 where
                              frame T has none
<key>.maps.npy                of records, one every n-th frame: a field <camera>.<stage>, float16 (C, h', w'), a map,
                              and <camera>.depth.0 (1, h', w') [m] if it has depth; all again for each further view
Their sizes follow from T and the shapes, so their places follow from where the sample ends, without another index. What
a window needs of a frame lies together: a read costs more by being one than by its length.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mmil.contracts import Spec
from mmil.data.sample import BLOCK, per_frame

if TYPE_CHECKING:
    import torch

    from mmil.data.windows import Cut

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The arrays at the end of a sample: rows and maps."""

    spec: Spec
    shapes: Mapping[str, tuple[Shape, ...]]  # camera, or its depth → (C, h', w') a stage
    every: int = 1  # frames from one that has maps to the next
    views: int = 1  # see Views

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Layout:
        cameras = manifest["features"]["cameras"]
        shapes = {name: tuple(tuple(shape) for shape in camera["shapes"]) for name, camera in cameras.items()}
        told = manifest["features"]
        return cls(Spec.from_json(manifest["spec"]), shapes, told["every"], told.get("views", 1))

    @cached_property
    def columns(self) -> dict[str, slice]:
        """Where each signal, each privileged one, "actions" and "labels" stand in a row."""
        axes = len(self.spec.action)
        widths = {name: math.prod(shape) for name, shape in per_frame(self.spec).items()}
        widths |= {"actions": axes, "labels": axes}
        ends = np.cumsum(list(widths.values())).tolist()
        return {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}

    @cached_property
    def record(self) -> np.dtype:
        """All maps of a frame, one after another."""
        return np.dtype(
            [
                (f"{camera}.{stage}", "<f2", shape)
                for camera, shapes in self.shapes.items()
                for stage, shape in enumerate(shapes)
            ]
        )

    @property
    def row_size(self) -> int:
        """Numbers in a row."""
        return self.columns["labels"].stop

    @property
    def maps_size(self) -> int:
        """Numbers in the maps of a frame."""
        return self.record.itemsize // np.dtype(np.float16).itemsize

    def frames(self, steps: int) -> range:
        """Those of an episode of `steps` actions that have maps."""
        return range(0, steps + 1, self.every)

    def places(self, steps: int) -> tuple[int, int]:
        """Where the data of rows and of maps begin, in bytes before the end of a sample of `steps` actions."""
        starts, end = [], 0
        mapped = self.views * len(self.frames(steps))
        for shape, kind in (((mapped,), self.record), ((steps + 1, self.row_size), np.dtype(np.float32))):
            header = len(npy_header(shape, kind))
            size = header + math.prod(shape) * kind.itemsize
            end += size + -size % BLOCK + BLOCK
            starts.append(end - BLOCK - header)
        return starts[1], starts[0]

    def view_size(self, steps: int) -> int:
        """[bytes] from a view of an episode's maps to the next."""
        return len(self.frames(steps)) * self.record.itemsize

    def split(self, maps: torch.Tensor) -> dict[str, list[torch.Tensor]]:
        """{camera: [(…, C, h', w') a stage]}, views of maps (…, maps_size)."""
        left = iter(maps.split([math.prod(shape) for shapes in self.shapes.values() for shape in shapes], dim=-1))
        return {camera: [next(left).unflatten(-1, shape) for shape in shapes] for camera, shapes in self.shapes.items()}

    def pack(self, arrays: Mapping[str, np.ndarray], features: Mapping[str, list[np.ndarray]]) -> Iterator[tuple]:
        """Suffix and bytes of both arrays of an episode."""
        steps = len(arrays["labels"])
        rows = np.zeros((steps + 1, self.row_size), np.float32)
        maps = np.empty(self.views * len(self.frames(steps)), self.record)
        for name, columns in self.columns.items():
            rows[: len(arrays[name]), columns] = arrays[name].reshape(len(arrays[name]), -1)
        for camera, stages in features.items():
            for stage, found in enumerate(stages):
                maps[f"{camera}.{stage}"] = found
        for suffix, array in (("rows.npy", rows), ("maps.npy", maps)):
            yield suffix, npy_header(array.shape, array.dtype) + array.tobytes()


def npy_header(shape: Shape, kind: np.dtype) -> bytes:
    """The bytes before the data of an array in C order, as np.save writes them."""
    buffer = io.BytesIO()
    about = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, about)
    return buffer.getvalue()


def window_bytes(spec: Spec, *, cut: Cut, maps: Sequence[str], layout: Layout | None) -> int:
    """At least what a window takes in a batch, of images or of maps laid out so, padded to multiples of 64 bytes."""
    if layout:
        images = 2 * layout.maps_size
    else:
        images = sum(math.prod(shape) for shape in spec.cameras.values())
        images += sum(4 * math.prod(spec.maps[name]) for name in maps)
    signals = sum(4 * math.prod(shape) + 64 for shape in per_frame(spec).values())
    return cut.observations * (images + signals) + cut.future * (4 * len(spec.action) + 1) + 1024
