"""What a Spec says of observations and actions, as Gymnasium's spaces."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from mmil.contracts import Spec
from mmil.gym.sentence import Sentence
from mmil.limits import limit

INSTRUCTION = "instruction"


def observation_space(spec: Spec) -> spaces.Dict:
    """Every camera and every signal under its own name, and the instruction."""
    images = {name: spaces.Box(0, 255, shape, np.uint8) for name, shape in spec.cameras.items()}
    signals = {name: spaces.Box(-limit(name), limit(name), shape, np.float32) for name, shape in spec.signals.items()}
    return spaces.Dict({**images, **signals, INSTRUCTION: Sentence()})


def action_space(spec: Spec) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (len(spec.action),), np.float32)
