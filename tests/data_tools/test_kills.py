"""Killed at a dozen random moments, whole or worker by worker: the bytes of an undisturbed run."""

from collections import Counter

from tests.kills import ALL, PARENT, WORKER, kill_again_and_again
from tests.plane import build, files

KILLS = 12
SCRIPT = """
import functools, sys
from tests.plane import Plane, build
if __name__ == "__main__":
    build(sys.argv[1], scene=functools.partial(Plane, pause=0.01), episodes=64, per_shard=4, workers=2)
"""


def test_a_dozen_kills_leave_no_trace(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    killed = Counter(kill_again_and_again(tmp_path / "script.py", tmp_path / "out", kills=KILLS, seed=0, longest=0.2))
    assert sum(killed.values()) == KILLS and killed.keys() == {ALL, PARENT, WORKER}
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert 0 < build(tmp_path / "out", episodes=64, per_shard=4, workers=2).made < 60
    build(tmp_path / "whole", episodes=64, per_shard=4)
    assert files(tmp_path / "out") == files(tmp_path / "whole")
