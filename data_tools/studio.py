"""Where stored episodes are shown again, as they were or with another look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.guard import map_faults, picture_faults
from data_tools.repaint import Difference, Sensing, difference, recorded_at, require_showing
from data_tools.theatre import Theatre
from mmil import parallel
from mmil.config import build_scene
from mmil.contracts import STREAMS, Episode, Observation, Scene, UserError, require_known
from mmil.data.dataset import Dataset
from mmil.seeds import look_seed

TRIED, INSTANTS = 3, 5  # episodes, and instants of each, that must come back before anything is rendered anew
CAMERA = "camera_"  # signals that say where a camera stands begin so
SEEN = ("cameras.", "maps.", f"signals.{CAMERA}", *(f"conventions.{stream}:" for stream in STREAMS))  # of a Spec


@dataclass(frozen=True)
class Change:
    """What is another one than it was."""

    look: int | None = None  # the seed that cameras, light and colours are drawn from anew
    cameras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # camera → what is given of its pose
    scene: Mapping[str, Any] = field(default_factory=dict)  # options of the scene
    clear: bool = False  # cameras record what they see, without the noise, delay and loss that were drawn

    def to_json(self) -> dict[str, Any]:
        told = {"look": self.look, "cameras": dict(self.cameras), "scene": dict(self.scene)}
        return {**told, "clear": True} if self.clear else told

    def node(self, dataset: Dataset) -> dict[str, Any]:
        """The config of the scene that shows the episodes of `dataset`."""
        if "randomisation" in self.scene and self.look is None:
            raise UserError("another randomisation changes only what is drawn anew; add --look SEED")
        node = scene_node(dataset)
        return {**node, "init_args": merged(node.get("init_args") or {}, self.scene)}

    def draws(self, episode: Episode, scene: Scene) -> dict[str, Any]:
        """The episode's draws, and those that are new."""
        draws = dict(episode.draws)
        if self.look is not None:
            draws |= require_showing(scene).look(look_seed(self.look, episode.seed))
        if self.clear and isinstance(scene, Sensing):
            draws |= scene.clear(draws)
        if self.cameras:
            drawn = draws.get("cameras", {})
            require_known("camera", self.cameras, drawn, where="among the draws")
            from mmil.scenes.pose import posed  # which brings the simulator along

            given = {name: posed(name, drawn[name], pose) for name, pose in self.cameras.items()}
            draws["cameras"] = {**drawn, **given}
        return draws


@dataclass(frozen=True)
class Studio(Theatre):
    """What a worker shows episodes with."""

    change: Change

    @property
    def redrawn(self) -> list[str]:
        """The draws that are not the episode's own any more."""
        looked = require_showing(self.scene).look(0) if self.change.look is not None else {}
        cleared = ["sensors"] if self.change.clear and isinstance(self.scene, Sensing) else []
        return sorted({*looked, *cleared, *(["cameras"] if self.change.cameras else [])})

    def episode(self, index: int) -> Episode:
        """The stored episode with its new pictures, and what says so in signals and draws."""
        stored = self.dataset.episode(index)
        draws = self.change.draws(stored, self.scene)
        seen = list(self._recorded(index, draws, stored.states, range(len(stored.states))).values())
        signals = {name: values for name, values in stored.signals.items() if not name.startswith(CAMERA)}
        signals |= {name: np.stack([one.signals[name] for one in seen]) for name in seen[0].signals}
        images = {camera: np.stack([one.images[camera] for one in seen]) for camera in self.scene.spec.cameras}
        maps = {name: np.stack([one.maps[name] for one in seen]) for name in self.scene.spec.maps}
        episode = replace(stored, draws=draws, images=images, signals=signals, maps=maps)
        if faults := [*picture_faults(episode), *map_faults(episode)]:
            raise UserError(f"episode {index} (scene seed {episode.seed}): {faults[0]}")
        return episode

    def differences(self, index: int) -> dict[str, Difference]:
        """Between stored and shown, by camera, at the best instant."""
        stored = self.dataset.episode(index)
        instants = np.unique(np.linspace(0, len(stored.actions), INSTANTS).round().astype(int)).tolist()
        shown = self._recorded(index, stored.draws, stored.states, instants)
        return {
            camera: min(difference(frames[at], shown[at].images[camera]) for at in instants)
            for camera, frames in stored.images.items()
            if np.ptp(frames)  # one that was dead shows nothing
        }

    def _recorded(
        self, index: int, draws: Mapping[str, Any], states: np.ndarray, at: Iterable[int]
    ) -> dict[int, Observation]:
        try:
            return recorded_at(self.scene, draws, states, at)
        except (KeyError, ValueError) as error:
            what = f"the draws or states of episode {index} are not of this scene"
            raise UserError(f"{what}, perhaps of another version of it: {error!r}") from error


@dataclass(frozen=True)
class StudioPlan:
    """Calling it builds the studio, in whichever process."""

    path: Path
    change: Change

    def __call__(self) -> Studio:
        dataset = Dataset.open(self.path)
        return Studio(dataset, build_scene(self.change.node(dataset)), self.change).checked(_require_fitting)


def require_stored_pictures(path: Path, indexes: Sequence[int]) -> Difference:
    """How far stored pictures are from the same draws shown here; refused where that is too far."""
    spread = np.unique(np.linspace(0, len(indexes) - 1, TRIED).round().astype(int))
    tried = [indexes[i] for i in spread]
    work = parallel.run(_differences, tried, make=StudioPlan(path, Change()), workers=1, env=parallel.simulation_env())
    found = [(difference, camera, index) for index, by_camera in work for camera, difference in by_camera.items()]
    furthest, camera, index = max(found, default=(Difference(0.0, 0.0), "", 0))
    if furthest.too_far:
        raise UserError(
            f"the stored pictures do not come back with nothing changed: camera {camera!r} of episode {index} differs "
            f"by {furthest}; other versions of simulator or renderer? `mmil verify` tells"
        )
    return furthest


def _differences(studio: Studio, index: int) -> dict[str, Difference]:
    return studio.differences(index)


def _require_fitting(dataset: Dataset, scene: Scene) -> None:
    require_showing(scene)
    lines = [line for line in dataset.spec.differences(scene.spec) if not line.startswith(SEEN)]
    if lines:
        raise UserError(f"such a scene cannot show the states of {dataset.path}: {'; '.join(lines)}")


def scene_node(dataset: Dataset) -> dict[str, Any]:
    """The config of the scene that the data set was made in."""
    node = dataset.manifest["config"].get("scene")
    if not isinstance(node, dict) or "class_path" not in node:
        raise UserError(f"{dataset.path} does not say which scene it was made in, as all that mmil simulates does")
    return node


def nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """{"front.elevation": 30} → {"front": {"elevation": 30}}, as they come from the command line."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        *path, last = name.split(".")
        at = found
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    return found


def merged(options: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested options with some of them changed."""
    both = dict(options)
    for name, value in changes.items():
        there = both.get(name)
        both[name] = merged(there, value) if isinstance(there, Mapping) and isinstance(value, Mapping) else value
    return both
