"""Images that are rendered when somebody looks, and not before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np


class Shown(Mapping[str, np.ndarray]):
    """Images that are rendered on first access, and refuse once the scene has moved on."""

    def __init__(self, cameras: Sequence[str], render: Callable[[str], np.ndarray]) -> None:
        self._cameras, self._render = tuple(cameras), render
        self._frames: dict[str, np.ndarray] = {}

    def __getitem__(self, camera: str) -> np.ndarray:
        if camera not in self._cameras:
            raise KeyError(f"no camera {camera!r}; there are {', '.join(self._cameras)}")
        if camera not in self._frames:
            self._frames[camera] = self._render(camera)
        return self._frames[camera]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cameras)

    def __len__(self) -> int:
        return len(self._cameras)
