"""Control steps a second with two 128×128 cameras and the wrench, against stock robosuite's PickPlace, in one run.

Ours do more: an expert acts, outcomes are judged, pictures are checked, JPEG and tar are made, as in `mmil generate`.
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable

from mmil.contracts import Actor, Scene
from mmil.parallel import available_cores, run, simulation_env
from tests.benchmarks.stock import stock_rate

EPISODES = 8  # a worker
ROUNDS = 3


class Made:
    """A worker's scene and expert, compiled and cached before the clock runs."""

    def __init__(self, name: str) -> None:
        self.scene, self.actor = SCENES[name]()
        self.scene.reset(0)

    def close(self) -> None:
        self.scene.close()


def pick_place() -> tuple[Scene, Actor]:
    from mmil.experts.classic import PickPlace as Expert
    from mmil.scenes.classic import PickPlace

    return PickPlace(), Expert()


def tabletop() -> tuple[Scene, Actor]:
    from mmil.experts import Lift
    from mmil.scenes import Tabletop

    return Tabletop(), Lift()


SCENES: dict[str, Callable[[], tuple[Scene, Actor]]] = {"PickPlace": pick_place, "Tabletop": tabletop}


def generate_one(made: Made, seed: int) -> tuple[float, float, int]:
    """An episode as `mmil generate` makes it: rollout, pictures, checks, JPEG and tar; when, and of how many steps."""
    from data_tools.guard import picture_faults
    from mmil.data.sample import encode_episode
    from mmil.rollout import rollout

    begun = time.time()
    episode = rollout(made.scene, made.actor, seed=seed, horizon=250, instruction="take it")
    picture_faults(episode)
    encode_episode(episode, attempts=1)
    return begun, time.time(), len(episode.actions)


def our_rate(name: str, *, workers: int) -> float:
    make, seeds = functools.partial(Made, name), range(2, 2 + 2 * EPISODES * workers, 2)
    spans = [
        result for _, result in run(generate_one, seeds, make=make, workers=workers, env=simulation_env(), patience=600)
    ]
    return sum(steps for *_, steps in spans) / (max(end for _, end, _ in spans) - min(begin for begin, *_ in spans))


def test_generation_against_stock(capsys) -> None:
    """Rounds, of which each measures everything: a machine that is slow for a minute is slow for all of it."""
    cores, rounds = available_cores(), []
    for _ in range(ROUNDS):
        rate = {f"stock PickPlace × {processes}": stock_rate("cameras", processes=processes) for processes in (1, 2)}
        rate |= {f"{name} × {workers}": our_rate(name, workers=workers) for name in SCENES for workers in (1, cores)}
        rounds.append(rate)
    lines = [f"{name}: {', '.join(f'{rate[name]:.1f}' for rate in rounds)} steps/s" for name in rounds[0]]
    for name in SCENES:
        for other, times in (("stock PickPlace × 1", 1), ("stock PickPlace × 2", 1), (f"{name} × 1", cores)):
            ratios = [rate[f"{name} × {cores}"] / rate[other] / times for rate in rounds]
            told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            what = "efficiency" if times > 1 else f"against {other}"
            lines.append(f"{name} × {cores}, {what}: median {statistics.median(ratios):.2f} ({told})")
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert all(rate[f"PickPlace × {cores}"] > rate["stock PickPlace × 2"] for rate in rounds)
