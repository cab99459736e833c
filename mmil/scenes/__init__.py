"""The worlds, and the only home of robosuite and mujoco."""

import logging
import os

os.environ.setdefault("MUJOCO_GL", "egl")  # must be set before the first import of mujoco
# robosuite's warnings at import speak of its optional parts, none of which is used here
logging.getLogger("robosuite_logs").addFilter(lambda record: record.levelno >= logging.ERROR)

from mmil.scenes.randomize import Randomisation  # noqa: E402
from mmil.scenes.tabletop import Tabletop  # noqa: E402
from mmil.scenes.toy import Toy  # noqa: E402

__all__ = ["Randomisation", "Tabletop", "Toy"]
