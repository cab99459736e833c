"""An instant as its cameras see it: pictures, and the maps that are asked for beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import mujoco
import numpy as np

from mmil.contracts import ROBOT, camera_of, map_name, millimetres
from mmil.scenes.render import Renderer


class Sight:
    """Calling it with the name of a camera or of a map renders that; what one rendering gives is rendered once.

    labels: gives uint8 (bodies,), what segmentation says of each body of the model. deep: depth will be asked for.
    moment: counts the instants of the scene; one that is past cannot be rendered any more.
    """

    def __init__(
        self,
        renderer: Renderer,
        cameras: Mapping[str, int],
        labels: Callable[[], np.ndarray],
        *,
        deep: bool,
        moment: Callable[[], int],
    ) -> None:
        self._renderer, self._cameras, self._labels = renderer, cameras, labels
        self._moment, self._now = moment, moment()
        self._deep = deep and renderer.sharp
        self._maps: dict[str, np.ndarray] = {}

    def __call__(self, name: str) -> np.ndarray:
        if self._moment() != self._now:
            raise RuntimeError(f"the scene has moved on: {name} of a past instant cannot be rendered any more")
        camera = camera_of(name)
        if camera == name:
            return self._picture(camera)
        if name not in self._maps:
            metres, bodies = self._renderer.measure(self._cameras[camera])
            self._maps[map_name(camera, "depth")] = millimetres(metres)
            self._maps[map_name(camera, "segmentation")] = self._labels()[bodies]
        return self._maps[name]

    def _picture(self, camera: str) -> np.ndarray:
        if not self._deep:
            return self._renderer.render(self._cameras[camera])
        picture, metres = self._renderer.render_deep(self._cameras[camera])
        self._maps[map_name(camera, "depth")] = millimetres(metres)
        return picture


def label_bodies(model: mujoco.MjModel, things: Iterable[int | None], *, robot: int) -> np.ndarray:
    """uint8 (bodies,): 1 … N the things with these bodies (None: it has none to see) and all that hangs on them.

    `robot` is the body the robot stands on; what belongs to nobody is 0.
    """
    own = {robot: ROBOT, **{body: number for number, body in enumerate(things, start=1) if body is not None}}
    labels = np.zeros(model.nbody, np.uint8)
    for body in range(1, model.nbody):  # parents come before their children
        labels[body] = own.get(body, labels[model.body_parentid[body]])
    return labels
