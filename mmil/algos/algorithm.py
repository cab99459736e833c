"""The one contract of algorithms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lightning import LightningModule

from mmil.algos.sharding import shard
from mmil.data.stats import Stats
from mmil.policy import Policy


class Algorithm(LightningModule, ABC):
    """A recipe that trains `policy`; `seed` and `resolved`, the config of the run, are told it before it begins."""

    policy: Policy
    stats: Stats

    def __init__(self) -> None:
        super().__init__()
        self.seed = 0
        self.resolved: dict[str, Any] = {}

    def configure_model(self) -> None:
        """Share out the weights, where the strategy wants it."""
        if self.device_mesh is not None:
            shard(self, self.device_mesh["data_parallel"])

    @property
    def tells(self) -> bool:
        """Whether numbers of this step are kept; Lightning takes a millisecond for each it is told, kept or not."""
        return (self.trainer.global_step + 1) % max(1, self.trainer.log_every_n_steps) == 0

    @abstractmethod
    def swap_average(self) -> None:
        """Exchange the policy's weights with those that shall be kept of it; a second call puts them back."""
