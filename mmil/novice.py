"""A trained policy where a config asks for an actor: to collect the states it leads into, for an expert to label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmil.contracts import Actor, Observation, State
from mmil.data.shards import file_sha256
from mmil.run import MODEL, RunFolder, load_runner

if TYPE_CHECKING:
    from mmil.runner import Runner


class Novice(Actor):
    """The policy of the finished run `run`; `execute` and `ensemble` are those of Runner.

    Its episodes say in their provenance which weights drove. Loaded by the process that it first acts in.
    """

    def __init__(self, run: Path, *, execute: int | None = None, ensemble: float | None = None) -> None:
        self.folder, self._options = RunFolder.open(run), {"execute": execute, "ensemble": ensemble}
        self.spec = self.folder.spec

    @cached_property
    def provenance(self) -> Mapping[str, str]:  # type: ignore[override]  # a file is hashed once
        return {"policy": file_sha256(self.folder.path / MODEL)}

    def reset(self, seed: int) -> None:
        self.runner.reset(seed)

    def interrupted(self) -> None:
        self.runner.interrupted()

    def act(self, observation: Observation, state: State | None = None) -> np.ndarray:
        runner = self.runner
        with one_thread():
            return runner.act(observation)

    @cached_property
    def runner(self) -> Runner:
        """The policy as an actor, loaded when it is first needed."""
        return load_runner(self.folder.path, **self._options)


@contextmanager
def one_thread() -> Iterator[None]:
    """With more, what is computed differs in the last bit, and an episode with the process that it was made in."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
