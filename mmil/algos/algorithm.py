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

    @abstractmethod
    def swap_average(self) -> None:
        """Exchange the policy's weights with those that shall be kept of it; a second call puts them back."""
