"""The one contract of algorithms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lightning import LightningModule

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

    @abstractmethod
    def swap_average(self) -> None:
        """Exchange the policy's weights with those that shall be kept of it; a second call puts them back."""
