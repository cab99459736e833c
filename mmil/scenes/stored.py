"""What scenes have in common whose stored instants can stand again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmil.contracts import Scene, State
from mmil.scenes.render import Renderer
from mmil.scenes.sight import Sight


class Stored(Scene):
    """A scene that shows and recalls the rows of Episode.states, given the episode's draws."""

    _renderer: Renderer

    def show(self, draws: Mapping[str, Any], states: np.ndarray) -> dict[str, np.ndarray]:
        """Pictures of a stored instant: {camera: uint8 (h, w, 3)} of one row of Episode.states."""
        self._put_back(draws, states)
        sight = self._sight()
        return {camera: sight(camera) for camera in self.spec.cameras}

    def recall(self, draws: Mapping[str, Any], states: np.ndarray) -> State:
        """A stored instant as it was, but for goal, command and force, which simulator states do not hold."""
        self._put_back(draws, states)
        return self._state()

    def close(self) -> None:
        self._renderer.close()

    @abstractmethod
    def _put_back(self, draws: Mapping[str, Any], states: np.ndarray) -> None:
        """Let the scene stand as it did."""

    @abstractmethod
    def _sight(self) -> Sight:
        """What the cameras see of how it stands."""

    @abstractmethod
    def _state(self) -> State:
        """What experts and judges know of how it stands."""
