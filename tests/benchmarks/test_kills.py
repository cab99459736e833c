"""A hundred kills at random moments of a generation of tabletop episodes, and of single workers, each resumed.

MMIL_KILLS: how many, 100 unless told otherwise; some ten seconds each, of which most go to starting robosuite anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.kills import kill_again_and_again
from tests.plane import files

KILLS = int(os.environ.get("MMIL_KILLS", "100"))
EPISODES = 6 * KILLS  # a few are made between two kills
SCRIPT = """
import functools, sys
from data_tools.generate import generate
from mmil.experts import Lift
from mmil.scenes import Tabletop

def tabletop(out, episodes, workers):
    scene = functools.partial(Tabletop, image_size=(32, 32))
    numbers = {"episodes": int(episodes), "episodes_per_shard": 8, "seed": 3, "horizon": 80}
    return generate(scene=scene, actor=Lift, out=out, workers=int(workers), **numbers)

if __name__ == "__main__":
    tabletop(*sys.argv[1:])
"""


@pytest.mark.timeout(0)
def test_a_hundred_kills_leave_no_trace(tmp_path, capsys) -> None:

    script, root = tmp_path / "script.py", Path(__file__).parents[2]
    script.write_text(SCRIPT)
    options = [str(EPISODES), "2"]
    killed = Counter(
        kill_again_and_again(script, tmp_path / "out", kills=KILLS, seed=1, longest=1.0, arguments=options)
    )
    env = {**os.environ, "PYTHONPATH": str(root)}
    for out, workers in (("out", "2"), ("whole", "1")):
        command = [sys.executable, str(script), str(tmp_path / out), str(EPISODES), workers]
        subprocess.run(command, env=env, check=True, capture_output=True)
    same = files(tmp_path / "out") == files(tmp_path / "whole")
    with capsys.disabled():
        each = ", ".join(f"{count} × {what}" for what, count in sorted(killed.items()))
        sys.stdout.write(f"\n{sum(killed.values())} kills ({each}), {EPISODES} episodes: bytes equal: {same}\n")
    assert same and sum(killed.values()) == KILLS
