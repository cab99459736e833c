"""Is a data set what it says it is? Checksums, invariants, split leaks, and a replay of some of its episodes.

Every episode is decoded and checked, by several workers; a sample of them is simulated again from seed and actions.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.generate import Speaker, load_grammar
from data_tools.guard import picture_faults
from mmil import parallel
from mmil.contracts import BODY_POSES, DO, Episode, Goal, Scene, Spec, UserError
from mmil.data.dataset import Dataset
from mmil.data.shards import Row, damage, scan
from mmil.language.leaks import leaks
from mmil.progress import progress_bar

DRIFT = 1e-6  # largest difference of a simulator state [m, rad, m/s, rad/s] between recording and replay
REPAINT = 6.0  # largest mean difference [of 255] between a stored frame and the same instant rendered again
LARGEST = 1e4  # of any signal: no joint, force or length of a table-top robot comes near
LIMITS = {  # largest absolute value of signals whose unit we know
    "joint_pos": 2 * math.pi + 0.5,  # [rad]
    "joint_vel": 50.0,  # [rad/s]
    "joint_torque": 1e3,  # [N·m]
    "eef_pos_world": 10.0,  # [m]
    "eef_quat_xyzw": 1.001,
    "gripper_pos": 1.0,  # [m]
}


def verify(
    path: Path | str,
    *,
    scene: Callable[[], Scene] | None = None,
    replay: float = 0.02,
    workers: int | None = None,
    grammar: Callable[[], Speaker] = load_grammar,
    tell: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """Every reason not to trust the data set; empty if there is none. `tell` hears a line a check.

    `replay` is the share of episodes (at least one, unless 0) that `scene` must reproduce; without a scene none is.
    """
    try:
        dataset = Dataset.open(path)
    except UserError as error:
        return [str(error)]
    reasons = [*_seed_reasons(dataset), *_leak_reasons(dataset, grammar())]
    reasons += _shard_reasons(dataset, workers)
    tell(f"{len(dataset)} episodes in {len(dataset.shard_paths)} shards read: {len(reasons)} reasons to doubt them")
    if scene is not None and replay > 0 and not reasons:
        drift, failures = _replay_reasons(dataset, scene, share=replay, workers=workers)
        tell(f"{_count(dataset, replay)} episodes replayed: states differ by {drift:.1e} at most")
        reasons += failures
    return reasons


# -- what index and manifest say ---------------------------------------------------------------------------------------


def _seed_reasons(dataset: Dataset) -> Iterator[str]:
    for what in ("key", "seed"):
        counts = Counter(getattr(row, what) for row in dataset.rows)
        for value, count in counts.items():
            if count > 1:
                yield f"{count} episodes share the {what} {value}"
    for row in dataset.rows:
        if row.seed % 2:
            yield f"episode {row.index}: seed {row.seed} is odd, and odd seeds belong to trials"
        if row.split != "train":
            yield f"episode {row.index} is of split {row.split!r}; a data set to train on holds 'train' only"
    totals = {"episodes": len(dataset), "steps": sum(row.steps for row in dataset.rows)}
    for name, total in totals.items():
        if dataset.manifest[name] != total:
            yield f"the manifest counts {dataset.manifest[name]} {name}, the index {total}"


def _leak_reasons(dataset: Dataset, grammar: Speaker) -> Iterator[str]:
    said = {Goal.from_json(entry["goal"]): set(entry["sentences"]) for entry in dataset.manifest["sentences"]}
    for row in dataset.rows:
        if row.instruction not in said.get(row.goal, ()):
            yield f"episode {row.index}: {row.instruction!r} is not among the manifest's sentences for {row.goal}"
    train = {sentence for sentences in said.values() for sentence in sentences}
    train |= {row.instruction for row in dataset.rows}
    ours = [goal for goal in said if goal.verb != DO]  # of what came from elsewhere no sentence is held out
    yield from leaks(train, [sentence for goal in ours for sentence in grammar.sentences(goal, "held_out")])


# -- what the shards hold ----------------------------------------------------------------------------------------------


def _shard_reasons(dataset: Dataset, workers: int | None) -> list[str]:
    names = [shard["name"] for shard in dataset.manifest["shards"]]
    workers = min(workers or parallel.available_cores(), len(names)) or 1
    reasons: list[str] = []
    with progress_bar("check", total=len(dataset), unit="episodes") as advance:
        make = partial(Dataset.open, dataset.path)
        with closing(parallel.run(_check_shard, names, make=make, workers=workers)) as work:
            for name, found in work:
                reasons += found
                advance(f"{len(reasons)} reasons", by=sum(row.shard == name for row in dataset.rows))
    return sorted(reasons)


def _check_shard(dataset: Dataset, name: str) -> list[str]:
    """Reasons against one shard; an altered one is not looked into any further."""
    entry = next(shard for shard in dataset.manifest["shards"] if shard["name"] == name)
    rows = [row for row in dataset.rows if row.shard == name]
    line = damage(dataset.path / name, size=entry["bytes"], sha256=entry["sha256"])
    if line:
        return [line]
    try:
        found = scan(dataset.path / name, first=rows[0].index)
        return [*_row_reasons(rows, found), *(reason for row in rows for reason in _check_episode(dataset, row))]
    except UserError as error:
        return [str(error)]


def _row_reasons(rows: list[Row], found: list[Row]) -> Iterator[str]:
    if len(rows) != len(found):
        yield f"{rows[0].shard} holds {len(found)} episodes, the index says {len(rows)}"
    for row, other in zip(rows, found, strict=False):
        wrong = [item.name for item in fields(Row) if getattr(row, item.name) != getattr(other, item.name)]
        if wrong:
            yield f"episode {row.index}: index and sample disagree about {', '.join(wrong)}"


def _check_episode(dataset: Dataset, row: Row) -> Iterator[str]:
    episode = dataset.episode(row.index)  # T+1 around T and finite, or it would not come to be
    reasons = episode_faults(episode, dataset.spec)
    if len(episode.actions) != row.steps:
        reasons.append(f"{len(episode.actions)} actions, the index says {row.steps}")
    yield from (f"episode {row.index} ({row.shard}): {reason}" for reason in reasons)


def episode_faults(episode: Episode, spec: Spec) -> list[str]:
    """What is wrong with an episode by itself, whatever shard it lies in."""
    return [*_spec_reasons(episode, spec), *_range_reasons(episode), *picture_faults(episode)]


def _spec_reasons(episode: Episode, spec: Spec) -> Iterator[str]:
    if episode.scene != spec.scene:
        yield f"scene {episode.scene!r}, the Spec says {spec.scene!r}"
    images = {name: array.shape[1:] for name, array in episode.images.items()}
    signals = {name: array.shape[1:] for name, array in episode.signals.items()}
    privileged = {name: array.shape[1:] for name, array in episode.privileged.items()}
    kinds = (
        ("images", images, spec.cameras),
        ("signals", signals, spec.signals),
        ("privileged state", privileged, spec.privileged),
    )
    for what, found, expected in kinds:
        if found != dict(expected):
            yield f"{what} {found}, the Spec says {dict(expected)}"
    things = ", ".join(map(str, episode.things))
    if BODY_POSES in spec.privileged and len(episode.things) != spec.privileged[BODY_POSES][0]:
        yield f"things {things or 'none'}, the Spec says {spec.privileged[BODY_POSES][0]}"
    elif episode.things and episode.goal.object not in episode.things:
        yield f"goal {episode.goal}, but the things are {things}"
    if episode.actions.shape[1] != len(spec.action):
        yield f"actions of {episode.actions.shape[1]} axes, the Spec says {len(spec.action)}"


def _range_reasons(episode: Episode) -> Iterator[str]:
    for name, array in {"actions": episode.actions, "labels": episode.labels}.items():
        if len(array) and np.abs(array).max() > 1.0:
            yield f"{name} reach {np.abs(array).max():.3f}, outside [-1, 1]"
    for name, array in episode.signals.items():
        if (peak := np.abs(array).max()) > LIMITS.get(name, LARGEST):
            yield f"signal {name} reaches {peak:.3g}, more than {LIMITS.get(name, LARGEST):.3g}"


# -- what a scene makes of it ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Replayer:
    """What a worker replays with; calling the recipe makes it."""

    path: Path
    factory: Callable[[], Scene]

    def __call__(self) -> _Theatre:
        return _Theatre(Dataset.open(self.path), self.factory())


@dataclass(frozen=True)
class _Theatre:
    dataset: Dataset
    scene: Scene

    def close(self) -> None:
        self.scene.close()


def _count(dataset: Dataset, share: float) -> int:
    return min(len(dataset), max(1, math.ceil(share * len(dataset))))


def _replay_reasons(
    dataset: Dataset, scene: Callable[[], Scene], *, share: float, workers: int | None
) -> tuple[float, list[str]]:
    """Largest drift met, and a line an episode that is not reproduced."""
    rng = np.random.default_rng(dataset.manifest["steps"])  # any fixed choice nobody can tune
    chosen = sorted(rng.choice(len(dataset), _count(dataset, share), replace=False).tolist())
    drift = 0.0
    reasons: list[str] = []
    with progress_bar("replay", total=len(chosen), unit="episodes") as advance:
        work = parallel.run(
            _replay,
            chosen,
            make=_Replayer(dataset.path, scene),
            workers=min(workers or parallel.available_cores(), len(chosen)),
            env=parallel.simulation_env(),
            name="episode {}".format,
        )
        with closing(work):
            for _, (one, found) in work:
                drift, reasons = max(drift, one), reasons + found
                advance(f"drift {drift:.1e}")
    return drift, sorted(reasons)


def _replay(theatre: _Theatre, index: int) -> tuple[float, list[str]]:
    """Largest difference of a state, and what was not reproduced."""
    dataset, scene = theatre.dataset, theatre.scene
    lines = dataset.spec.differences(scene.spec)
    if lines:
        return 0.0, [f"the scene cannot replay this data set: {'; '.join(lines)}"]
    episode = dataset.episode(index)
    step = scene.reset(episode.seed)
    step = scene.tell(episode.goal, episode.instruction)
    reasons = [] if dict(scene.draws) == episode.draws else ["draws differ"]
    reasons += _repaint_reasons(episode, step.observation.images, instant=0)
    states = [scene.simulator_state()]
    for action in episode.actions:
        step = scene.step(action)
        states.append(scene.simulator_state())
    reasons += _repaint_reasons(episode, step.observation.images, instant=-1)
    drift = _drift(episode.states, np.array(states))
    if drift > DRIFT:
        hint = "" if dict(dataset.spec.versions) == dict(scene.spec.versions) else " (other versions of the simulator)"
        reasons.append(f"states differ by {drift:.1e}{hint}")
    if (step.outcome or "timeout") != episode.outcome:
        reasons.append(f"the outcome is {step.outcome}, recorded was {episode.outcome}")
    return drift, [f"episode {index} is not reproduced from seed {episode.seed}: {reason}" for reason in reasons]


def _drift(recorded: np.ndarray, replayed: np.ndarray) -> float:
    if recorded.shape != replayed.shape:
        return math.inf
    return float(np.abs(recorded - replayed).max())


def _repaint_reasons(episode: Episode, images: Any, *, instant: int) -> Iterator[str]:
    for camera, frames in episode.images.items():
        difference = np.abs(frames[instant].astype(np.int16) - images[camera]).mean()
        if difference > REPAINT:
            which = f"camera {camera!r} at instant {instant % len(frames)}"
            yield f"{which} differs by {difference:.0f} of 255 when rendered again"
