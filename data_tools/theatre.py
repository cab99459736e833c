"""Stored episodes and the scene they were made in, side by side: what a worker holds that simulates or shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from mmil.contracts import Scene, UserError
from mmil.data.dataset import Dataset


@dataclass(frozen=True)
class Theatre:
    """A data set, and a scene that shall be the one it was made in."""

    dataset: Dataset
    scene: Scene

    def close(self) -> None:
        self.scene.close()

    def checked(self, require: Callable[[Dataset, Scene], None]) -> Self:
        """Itself, unless `require` refuses the scene: then it is closed."""
        try:
            require(self.dataset, self.scene)
        except UserError:
            self.close()
            raise
        return self
