"""Does a worker that makes a thousand episodes grow? Its resident memory after the first 50 and at the end.

MMIL_EPISODES: of each worker, 1000 unless told otherwise; a second and more an episode.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

import pytest

from mmil.parallel import available_cores, run, simulation_env

EPISODES = int(os.environ.get("MMIL_EPISODES", "1000"))
SETTLED = min(50, EPISODES // 4)  # episodes, after which caches are full
GROWTH = 1.05


def order() -> object:
    from data_tools.station import Order, load_grammar
    from mmil.experts import Lift
    from mmil.scenes import Tabletop

    scene = functools.partial(Tabletop, horizon=100)
    return Order(scene, Lift, None, load_grammar, seed=0, horizon=100, keep="success", max_attempts=20)()


def resident(station: object, index: int) -> tuple[int, float]:
    """Make an episode as `mmil generate` does; who did, and its memory then [MB]."""
    from data_tools.station import make_part

    make_part(station, index)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return os.getpid(), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.timeout(0)
def test_a_worker_does_not_grow(capsys) -> None:
    workers = available_cores()
    memory: dict[int, list[float]] = {}
    work = run(resident, range(EPISODES * workers), make=order, workers=workers, env=simulation_env(), patience=600)
    for _, (worker, megabytes) in work:
        memory.setdefault(worker, []).append(megabytes)
    with capsys.disabled():
        for seen in memory.values():
            told = f"{seen[SETTLED]:.0f} MB after {SETTLED}, {seen[-1]:.0f} at the end, {max(seen):.0f} at most"
            sys.stdout.write(f"\n{len(seen)} episodes: {told}")
        sys.stdout.write("\n")
    assert all(seen[-1] < GROWTH * seen[SETTLED] for seen in memory.values())
