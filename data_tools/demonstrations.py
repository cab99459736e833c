"""Stored episodes as demonstrations to do again elsewhere.

Hand and things are read from the stored simulator states, put back into the scene they were made in: signals may be
noisy or late, and say nothing of who holds what. The stored poses of things prove that it is the same scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from data_tools.theatre import Theatre
from mmil import parallel
from mmil.config import build_scene
from mmil.contracts import BODY_POSES, Episode, Scene, State, UserError
from mmil.data.dataset import Dataset
from mmil.experts.demonstration import Demonstration
from mmil.progress import progress_bar

SAME = 1e-4  # largest difference of a stored pose of a thing [m] and the recalled one


@runtime_checkable
class Recalling(Protocol):
    """What a scene has that can stand as it once did."""

    def recall(self, draws: Mapping[str, Any], states: np.ndarray) -> State:
        """The instant of one row of Episode.states."""


def read_demonstrations(
    dataset: Dataset, indexes: Sequence[int], *, scene: Mapping[str, Any], workers: int | None = None
) -> list[Demonstration]:
    """Of these episodes, in their order; `scene` is the node of the config they were made with."""
    found: dict[int, Demonstration] = {}
    with progress_bar("read", total=len(indexes), unit="demonstrations") as advance:
        work = parallel.run(
            _read,
            indexes,
            make=_Reader(dataset.path, scene),
            workers=min(workers or parallel.available_cores(), len(indexes)),
            env=parallel.simulation_env(),
            name="episode {}".format,
        )
        with closing(work):
            for index, demonstration in work:
                found[index] = demonstration
                advance()
    return [found[index] for index in indexes]


@dataclass(frozen=True)
class _Reader:
    """What a worker reads with; calling the recipe makes it."""

    path: Path
    node: Mapping[str, Any]

    def __call__(self) -> Theatre:
        return Theatre(Dataset.open(self.path), build_scene(self.node)).checked(_require_recalling)


def _require_recalling(dataset: Dataset, scene: Scene) -> None:
    if not isinstance(scene, Recalling):
        raise UserError(f"scene {scene.spec.scene!r} cannot stand as it once did: it has no recall()")


def _read(theatre: Theatre, index: int) -> Demonstration:
    episode = theatre.dataset.episode(index)
    return Demonstration.of(episode.key, episode.goal, list(_states(theatre.scene, episode, index)), episode.actions)


def _states(scene: Any, episode: Episode, index: int) -> Iterator[State]:
    about = f"draws and states of episode {index} are not of this scene, perhaps of another version of it"
    for states, stored in zip(episode.states, episode.privileged[BODY_POSES], strict=True):
        try:
            state = scene.recall(episode.draws, states)
        except (KeyError, ValueError, IndexError) as error:
            raise UserError(f"{about}: {error!r}") from error
        poses = state.privileged[BODY_POSES]
        if poses.shape != stored.shape or (apart := float(np.abs(poses - stored)[:, :3].max(initial=0.0))) > SAME:
            much = f"{apart:.1e} m elsewhere" if poses.shape == stored.shape else f"{len(poses)} of {len(stored)}"
            raise UserError(f"{about}: its things are {much}")
        yield state
