"""What a Spec says of observations and actions, as Gymnasium's spaces."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from mmil.contracts import Spec, map_dtype
from mmil.gym.sentence import Sentence
from mmil.limits import limit

INSTRUCTION = "instruction"


def observation_space(spec: Spec) -> spaces.Dict:
    """Every camera and every signal under its own name, maps as <camera>_<stream>, and the instruction."""
    images = {name: spaces.Box(0, 255, shape, np.uint8) for name, shape in spec.cameras.items()}
    maps = {key(name): _map_space(name, size) for name, size in spec.maps.items()}
    signals = {name: spaces.Box(-limit(name), limit(name), shape, np.float32) for name, shape in spec.signals.items()}
    return spaces.Dict({**images, **maps, **signals, INSTRUCTION: Sentence()})


def key(name: str) -> str:
    """What a map is called among observations: dots mean something to torch, which may build a module for each."""
    return name.replace(".", "_")


def _map_space(name: str, size: tuple[int, int]) -> spaces.Box:
    kind = map_dtype(name)
    return spaces.Box(0, np.iinfo(kind).max, size, kind.type)


def action_space(spec: Spec) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (len(spec.action),), np.float32)
