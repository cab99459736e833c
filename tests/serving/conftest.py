"""One tiny run, and one server of it in a process of its own, for all tests of the room."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import data_set, run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """Its data set is gone and it lies elsewhere than it was made: all that is left is the folder."""
    folder = tmp_path_factory.mktemp("tiny")
    data = data_set(folder / "data")
    made = run(data, folder / "run")
    for part in (data, *folder.glob("data.features-*")):
        part.rename(folder / f"gone-{part.name}")
    return made.rename(folder / "moved")


class Served:
    """`mmil serve` at work."""

    def __init__(self, run: Path, *options: str) -> None:
        command = [sys.executable, "-m", "mmil.cli", "serve", str(run), "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        self.told = [self.process.stdout.readline() for _ in range(2)]
        found = re.search(r'Client\("(.+)"\)', self.told[-1])
        assert found, (self.told, self.process.communicate()[1] if self.process.poll() is not None else "")
        self.address = found[1]

    def stop(self, by: signal.Signals = signal.SIGINT) -> str:
        """What it says when it is interrupted."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=20)
        return out + err


@pytest.fixture(scope="session")
def served(trained):
    server = Served(trained)
    yield server
    server.stop()
