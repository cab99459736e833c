"""`mmil` in several processes at once, as a cluster starts them: each runs the same commands, told its place."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}


def together(*commands: Sequence[str], processes: int = 2) -> list[tuple[int, str]]:
    """Exit code and words of each process; all do these commands one after another, up to one that fails.

    A command may begin with "stopped", and ends in its second epoch, or "spoilt", with a NaN in the last process.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes), "NODE_RANK": "0"}
    told = [sys.executable, "-m", "tests.algos.together", json.dumps(commands)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": ROOT}
    begun = [
        subprocess.Popen(told, env={**ENV, **place, "LOCAL_RANK": str(rank)}, **pipes) for rank in range(processes)
    ]
    try:
        said = [process.communicate()[0] for process in begun]
    finally:
        for process in begun:
            process.kill()
    return [(process.returncode, words) for process, words in zip(begun, said, strict=True)]


def stopped(command: Sequence[str]) -> int:
    """A run that ends before the checkpoint of its second epoch; 0 where that was so."""
    from mmil.algos import BC
    from mmil.cli import main

    original = BC.on_validation_end

    def stop(self: BC) -> None:
        original(self)
        if self.current_epoch == 1:
            raise ConnectionError("the power went")

    BC.on_validation_end = stop  # type: ignore[method-assign]
    try:
        return main(command) or 1
    except ConnectionError:
        return 0
    finally:
        BC.on_validation_end = original  # type: ignore[method-assign]


def spoilt(command: Sequence[str]) -> int:
    """A run in whose second step the last process, and no other, meets a NaN."""
    from mmil.algos import BC
    from mmil.cli import main

    original = BC.training_step

    def spoil(self: BC, batch: Any, index: int) -> Any:
        last = self.global_rank == self.trainer.world_size - 1 and self.global_step == 1
        return original(self, batch, index) * (float("nan") if last else 1.0)

    BC.training_step = spoil  # type: ignore[method-assign]
    return main(command)


def run(commands: Sequence[list[str]]) -> int:
    """The exit code of the first that fails."""
    from mmil.cli import main

    kinds = {"stopped": stopped, "spoilt": spoilt}
    for command in commands:
        code = kinds[command[0]](command[1:]) if command[0] in kinds else main(command)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(run(json.loads(sys.argv[1])))
