"""A run in seconds: a tiny policy, trained for an epoch by `mmil train` on a few episodes of the plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mmil.algos.training import train
from mmil.config import parse
from mmil.contracts import Step
from tests.plane import build
from tests.sorting import Sorting

WIDTH = {"width": 16}
SCENE = {"class_path": "tests.tiny.Desk", "init_args": {}}


class Desk(Sorting):
    """The plane as `mmil evaluate` builds a scene; its second camera may have another name, and a signal be more."""

    def __init__(
        self,
        *,
        randomisation: Mapping[str, Any] | None = None,
        horizon: int = 24,
        second: str = "side",
        battery: bool = False,
    ) -> None:
        super().__init__()
        cameras = {("top" if camera == "top" else second): shape for camera, shape in self.spec.cameras.items()}
        signals = {**self.spec.signals, **({"battery": (1,)} if battery else {})}
        self.spec = replace(self.spec, cameras=cameras, signals=signals)

    def _result(self, outcome: Any) -> Step:
        step = super()._result(outcome)
        signals = {**step.observation.signals, "battery": np.array([1 - 0.01 * self._elapsed], np.float32)}
        return replace(step, observation=replace(step.observation, signals=signals))


def config(**policy: Any) -> dict[str, Any]:
    """Of `mmil train`; `policy` changes parts of the policy."""
    signals = {"names": ["eef_pos_world"], **WIDTH}
    parts = {
        "vision": {"class_path": "mmil.encoders.TimmVision", "init_args": {"stages": [2], **WIDTH}},
        "language": {"class_path": "mmil.encoders.TextTokens", "init_args": {"queries": 2, **WIDTH}},
        "signals": {"class_path": "mmil.encoders.SignalTokens", "init_args": signals},
        "wrench": {"class_path": "mmil.encoders.WrenchTokens", "init_args": WIDTH},
        "fusion": {"class_path": "mmil.encoders.FilmFusion", "init_args": {"points": 2, "width": 24}},
        "head": {"class_path": "mmil.heads.Regression", "init_args": {"width": 16}},
        "future": 4,  # its episodes are short
        **policy,
    }
    node = {"class_path": "mmil.policy.Policy", "init_args": parts}
    algo = {"class_path": "mmil.algos.BC", "init_args": {"warmup": 2, "policy": node}}
    told = {"epochs": 1, "batch_size": 16, "stride": 3, "validation": 0.0, "cache": True, "loggers": []}
    return {"algo": algo, **told}


def data_set(out: Path, *, episodes: int = 6, scene: Mapping[str, Any] = SCENE, **options: Any) -> Path:
    """Episodes of the plane, whose manifest says how to build it."""
    from mmil.config import build_scene

    build(out, episodes=episodes, scene=partial(build_scene, scene), config={"scene": dict(scene)}, **options)
    return out


def run(data: Path, out: Path, *options: str, tell: Any = None, **policy: Any) -> Path:
    """A finished run."""
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(config(**policy)))
    arguments = ["--config", str(path), "--data", str(data), "--out", str(out), *options]
    parsed = parse(train, arguments, verb="train", skip=("config", "tell"))
    return train(**parsed.options, config=parsed.resolved, **({"tell": tell} if tell else {}))
