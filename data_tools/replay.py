"""Episodes simulated again from seed and actions, and how far from what was recorded everything comes to lie.

Replaying is the rollout that recorded them, with an actor that knows its actions by heart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_tools.repaint import recorded_at, repaint_reasons
from data_tools.theatre import Theatre
from mmil import parallel
from mmil.contracts import BODY_POSES, Actor, Episode, Observation, Scene, State, UserError
from mmil.data.dataset import Dataset
from mmil.progress import progress_bar
from mmil.rollout import Turn, rollout

DRIFT = 1e-6  # largest difference of a simulator state [m, rad, m/s, rad/s] between recording and replay
CLOSE = 1e-3  # largest difference of any other number, as a share of the largest one (at least 1)
HAND = "eef_pos_world"
MM = 1000.0  # in a metre
Drift = tuple[float, float | None, float | None]  # of the states, of the things [mm] and of the hand [mm]


@dataclass(frozen=True)
class Replayed:
    """What became of one episode when it was simulated again."""

    index: int
    seed: int
    goal: str
    state: float  # largest difference of a simulator state; infinite where the replay is longer or shorter
    things_mm: float | None  # largest distance between where a thing was and is; None where nobody wrote it down
    hand_mm: float | None
    reasons: tuple[str, ...]  # why it does not count as reproduced
    others: tuple[str, ...]  # of package versions, model and controller: what was not the same

    def __str__(self) -> str:
        parts = [f"states {self.state:.1e}"]
        parts += [f"things {self.things_mm:.3f} mm"] if self.things_mm is not None else []
        parts += [f"hand {self.hand_mm:.3f} mm"] if self.hand_mm is not None else []
        return f"episode {self.index} ({self.goal}, seed {self.seed}): {', '.join(parts)}"

    @property
    def line(self) -> str:
        """Why it fails, and what may be to blame."""
        hint = f" (recorded by others: {', '.join(self.others)})" if self.others else ""
        return f"episode {self.index} is not reproduced from seed {self.seed}: {'; '.join(self.reasons)}{hint}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "state": self.state if math.isfinite(self.state) else None}


def replay_episodes(
    dataset: Dataset,
    scene: Callable[[], Scene],
    *,
    share: float,
    workers: int | None = None,
    patience: float | None = None,
) -> list[Replayed]:
    """A share of the episodes (at least one), by `workers` processes; in the order of their index."""
    rng = np.random.default_rng(dataset.manifest["steps"])  # any fixed choice nobody can tune
    count = min(len(dataset), max(1, math.ceil(share * len(dataset))))
    chosen = sorted(rng.choice(len(dataset), count, replace=False).tolist())
    found: list[Replayed] = []
    with progress_bar("replay", total=count, unit="episodes") as advance:
        work = parallel.run(
            _replay,
            chosen,
            make=_Replayer(dataset.path, scene),
            workers=min(workers or parallel.available_cores(), count),
            env=parallel.simulation_env(),
            name="episode {}".format,
            patience=patience,
        )
        with closing(work):
            for _, one in work:
                found.append(one)
                advance(f"drift {max(each.state for each in found):.1e}")
    return sorted(found, key=lambda one: one.index)


def summary(found: Sequence[Replayed]) -> str:
    """How many, and the largest drift of each kind."""
    parts = [f"states differ by {max(one.state for one in found):.1e} at most"]
    for what, distances in (
        ("things", [one.things_mm for one in found if one.things_mm is not None]),
        ("the hand", [one.hand_mm for one in found if one.hand_mm is not None]),
    ):
        parts += [f"{what} by {max(distances):.3f} mm"] if distances else []
    failing = sum(bool(one.reasons) for one in found)
    return f"{len(found)} episodes replayed, {failing} not reproduced: {', '.join(parts)}"


def worst(found: Sequence[Replayed], *, count: int = 5) -> list[Replayed]:
    """Those that drifted furthest; none that did not."""
    drifted = [one for one in found if one.state or one.things_mm or one.hand_mm]
    return sorted(drifted, key=lambda one: (-one.state, -(one.things_mm or 0.0)))[:count]


@dataclass(frozen=True)
class _Replayer:
    """What a worker replays with; calling the recipe makes it."""

    path: Path
    factory: Callable[[], Scene]

    def __call__(self) -> Theatre:
        return Theatre(Dataset.open(self.path), self.factory()).checked(_require_same)


def _require_same(dataset: Dataset, scene: Scene) -> None:
    lines = dataset.spec.differences(scene.spec)
    if lines:
        raise UserError(f"the scene cannot replay this data set: {'; '.join(lines)}")


class _ByHeart(Actor):
    """Does what was recorded."""

    def __init__(self, actions: np.ndarray) -> None:
        self._actions = actions

    def reset(self, seed: int) -> None:
        self._left = iter(self._actions)

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        return next(self._left)


def _redrawn(dataset: Dataset) -> set[str]:
    """Draws that are not those of the episodes' seeds, because they were rendered anew."""
    return {name for made in dataset.manifest.get("lineage", ()) for name in made["redrawn"]}


def _replay(theatre: Theatre, index: int) -> Replayed:
    row, scene, redrawn = theatre.dataset.rows[index], theatre.scene, _redrawn(theatre.dataset)
    drift: Drift = (math.inf, None, None)
    reasons, others = list[str](), tuple[str, ...]()
    try:
        episode = theatre.dataset.episode(index)
        others = _others(episode.provenance or theatre.dataset.spec.provenance, scene.spec.provenance)
        again, frames = _rollout(scene, episode, redrawn=bool(redrawn))
        drift = _drift(episode, again)
        reasons += _differences(episode, again, redrawn=redrawn, drift=drift)
        reasons += [reason for at, seen in frames.items() for reason in repaint_reasons(episode, seen, instant=at)]
    except UserError as error:  # an altered sample, or a goal that this scene does not have
        reasons.append(str(error))
    return Replayed(index, row.seed, str(row.goal), *drift, tuple(reasons), others)


def _rollout(scene: Scene, episode: Episode, *, redrawn: bool) -> tuple[Episode, dict[int, Observation]]:
    """The episode again, and what its cameras show at the first and the last instant."""
    frames: dict[int, Observation] = {}

    def watch(turn: Turn) -> None:
        last = turn.action is None
        if (last or not frames) and not redrawn:
            seen = turn.step.observation
            frames[-1 if last else 0] = replace(seen, images=dict(seen.images), maps=dict(seen.maps))

    again = rollout(
        scene,
        _ByHeart(episode.actions),
        seed=episode.seed,
        goal=episode.goal,
        instruction=episode.instruction,
        horizon=len(episode.actions),
        record=False,
        watch=watch,
    )
    if redrawn:
        frames = recorded_at(scene, episode.draws, episode.states, (0, -1))
    return again, frames


def _drift(episode: Episode, again: Episode) -> Drift:
    """How far everything came to lie from where it was."""
    if episode.states.shape != again.states.shape:
        return math.inf, None, None
    poses = [one.privileged.get(BODY_POSES) for one in (episode, again)]
    hands = [one.signals.get(HAND) for one in (episode, again)]
    things, hand = (None if a is None or b is None else _apart(a, b) for a, b in (poses, hands))
    return float(np.abs(episode.states - again.states).max(initial=0.0)), things, hand


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest distance [mm] of positions (…, 3 or more) [m]."""
    if a.shape != b.shape:
        return math.inf
    return MM * float(np.linalg.norm(a[..., :3].astype(float) - b[..., :3], axis=-1).max(initial=0.0))


def _differences(episode: Episode, again: Episode, *, redrawn: set[str], drift: Drift) -> Iterator[str]:
    """Why the replay is not the episode."""
    state, things, hand = drift
    draws = [{name: value for name, value in one.draws.items() if name not in redrawn} for one in (episode, again)]
    if draws[0] != draws[1]:
        yield "draws differ"
    if math.isinf(state):
        yield f"it ends after {len(again.actions)} of {len(episode.actions)} steps"
    elif state > DRIFT:
        yield f"states differ by {state:.1e}"
    for what, distance in (("things lie", things), ("the hand is", hand)):
        if distance is not None and distance > MM * DRIFT:
            yield f"{what} {distance:.3f} mm elsewhere"
    if again.outcome != episode.outcome:
        yield f"the outcome is {again.outcome}, recorded was {episode.outcome}"
    if not math.isinf(state):
        yield from _other_numbers(episode, again, redrawn)


def _other_numbers(episode: Episode, again: Episode, redrawn: set[str]) -> Iterator[str]:
    """Signals, privileged state, rewards and measures that are not reproduced."""
    pairs: list[tuple[str, np.ndarray, Any]]
    pairs = [(name, array, again.signals.get(name)) for name, array in episode.signals.items()]
    pairs = [pair for pair in pairs if not (redrawn and pair[0].startswith("camera_"))]
    pairs += [(name, array, again.privileged.get(name)) for name, array in episode.privileged.items()]
    pairs += [("rewards", episode.rewards, again.rewards)]
    pairs += [(name, np.array(value), again.measures.get(name)) for name, value in episode.measures.items()]
    for name, recorded, now in pairs:
        if now is None or np.shape(now) != recorded.shape:
            yield f"{name} is not there again"
            continue
        difference, largest = (np.abs(values).max(initial=0.0) for values in (recorded - now, recorded))
        if difference > CLOSE * max(1.0, largest):
            yield f"{name} differs by {difference:.3g}"


def _others(recorded: Mapping[str, str], here: Mapping[str, str]) -> tuple[str, ...]:
    """What simulated then and is another one now: `mujoco 3.3.1, here 3.3.7`."""
    names = sorted(name for name in recorded.keys() & here.keys() if recorded[name] != here[name])
    return tuple(f"{name} {recorded[name][:12]}, here {here[name][:12]}" for name in names)
