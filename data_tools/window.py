"""A window that shows what the cameras see, and takes a key; for people who demonstrate."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mmil.contracts import Observation, UserError
from mmil.experts.teleop import Interrupt, Redo, Screen, Skip, Stop, Undo

TITLE = "mmil teleop"
KEYS = "backspace: again   n: another layout   u: throw the last episode away   esc: stop"
COMMANDS: Mapping[int, type[Interrupt]] = MappingProxyType({8: Redo, ord("n"): Skip, ord("u"): Undo, 27: Stop})
BAR = 40  # pixels of a line of text
NO_DISPLAY = (
    "no display to show a window on (DISPLAY is unset): run on a desktop or with ssh -X, "
    "or with --screen data_tools.window.NoWindow where somebody sees the robot otherwise"
)


class Window(Screen):
    """All cameras side by side, `height` pixels tall, with the sentence over them."""

    def __init__(self, *, height: int = 480) -> None:
        if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
            raise UserError(NO_DISPLAY)  # OpenCV would end the process
        self.height = height

    def show(self, observation: Observation) -> None:
        import cv2

        cv2.imshow(TITLE, picture(observation, height=self.height)[..., ::-1])
        command = COMMANDS.get(cv2.waitKey(1) & 0xFF)
        if command is not None:
            raise command

    def close(self) -> None:
        import cv2

        cv2.destroyAllWindows()


class NoWindow(Screen):
    """Shows nothing and asks for nothing."""

    def show(self, observation: Observation) -> None:
        """Nothing to see."""

    def close(self) -> None:
        """Nothing to close."""


def picture(observation: Observation, *, height: int) -> np.ndarray:
    """uint8 (height + 2 lines, w, 3): the sentence, every camera, the keys."""
    import cv2

    frames = [np.asarray(observation.images[camera]) for camera in observation.images]
    sizes = [(round(frame.shape[1] * height / frame.shape[0]), height) for frame in frames]
    seen = np.hstack([cv2.resize(*pair, interpolation=cv2.INTER_CUBIC) for pair in zip(frames, sizes, strict=True)])
    return np.vstack([_line(observation.instruction, seen.shape[1]), seen, _line(KEYS, seen.shape[1])])


def _line(text: str, width: int) -> np.ndarray:
    import cv2

    bar, font = np.zeros((BAR, width, 3), np.uint8), cv2.FONT_HERSHEY_SIMPLEX
    (length, _), _ = cv2.getTextSize(text, font, 0.7, 1)
    scale = min(0.7, 0.7 * (width - 20) / max(length, 1))
    return cv2.putText(bar, text, (10, 27), font, scale, (255, 255, 255), 1, cv2.LINE_AA)
