"""What a policy is trained on: one processor or GPU, or many of them on many nodes, by the same config."""

from __future__ import annotations

import logging
import warnings
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer

from mmil.algos.sharding import by_name, by_number
from mmil.contracts import UserError

Precision = Literal["auto", "32-true", "bf16-mixed"]
Devices = int | Literal["auto"]
StrategyName = Literal["auto", "ddp", "fsdp"]
FULL = StateDictOptions(full_state_dict=True, cpu_offload=True, strict=False)  # frozen weights are in no checkpoint


@dataclass(frozen=True)
class Machine:
    """Processes that train together: so many `devices` (CPU: processes) on each of so many nodes.

    strategy: each holds the whole policy (ddp), or its share of what is trained (fsdp); auto: ddp where they are many.
    """

    accelerator: str = "auto"
    _: KW_ONLY
    devices: Devices = "auto"
    nodes: int = 1
    strategy: StrategyName = "auto"
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        for name, number in (("devices", self.devices), ("nodes", self.nodes)):
            if number != "auto" and number < 1:
                raise UserError(f"{name} is {number}; it must be at least 1")

    @property
    def processes(self) -> int:
        """How many processes share the work."""
        if self.devices != "auto":
            return self.devices * self.nodes
        gpus = torch.cuda.device_count() if self.kind == "cuda" else 0
        return max(1, gpus) * self.nodes

    @property
    def kind(self) -> str:
        """Of torch's devices."""
        gpu = self.accelerator in ("gpu", "cuda") or (self.accelerator == "auto" and torch.cuda.is_available())
        return "cuda" if gpu else "cpu"

    @property
    def fitting(self) -> Any:
        """The precision it computes with."""
        return fitting(self.precision, kind=self.kind)

    def trainer(self, **settings: Any) -> Trainer:
        """Lightning's Trainer for it; a line where this machine has no such thing."""
        _quieten()
        try:
            return Trainer(
                accelerator=self.accelerator,
                devices=self.devices,
                num_nodes=self.nodes,
                strategy=self._strategy(),
                precision=self.fitting,
                log_every_n_steps=10,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                **settings,
            )
        except (ValueError, RuntimeError) as error:  # MisconfigurationException is one of them
            raise UserError(f"cannot train on {self.devices} × {self.accelerator}: {error}") from None

    def _strategy(self) -> Strategy | str:
        if self.strategy == "fsdp":
            return Sharded(self.processes)
        return DDPStrategy() if self.strategy == "ddp" or self.processes > 1 else "auto"


def _quieten() -> None:
    """Of Lightning, what is meant for its users and not for ours: a frozen encoder is in evaluation mode on purpose."""
    for room in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(room).setLevel(logging.WARNING)
    nothing_held_out = ".*Total length of `list` across ranks is zero"
    for told in (".*in eval mode at the start of training", ".*LeafSpec", ".*many workers", nothing_held_out):
        warnings.filterwarnings("ignore", told)


class Sharded(ModelParallelStrategy):
    """FSDP2, on CPUs too (FSDPStrategy refuses them), with the checkpoints of one process: any number goes on."""

    def __init__(self, processes: int) -> None:
        super().__init__(data_parallel_size=processes, tensor_parallel_size=1, save_distributed_checkpoint=False)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The whole of it in the first process, {} in others."""
        assert isinstance(self.model, LightningModule)
        found = get_optimizer_state_dict(self.model, getattr(optimizer, "_optimizer", optimizer), options=FULL)
        return by_number(found) if found else {}

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Every process reads the file and takes its share of it."""
        assert isinstance(self.model, LightningModule)
        found = torch.load(self.broadcast(checkpoint_path), map_location="cpu", weights_only=True, mmap=True)
        set_model_state_dict(self.model, found["state_dict"], options=FULL)
        for optimizer, state in zip(self.optimizers, found["optimizer_states"], strict=True):
            named = by_name(self.model, optimizer, state)
            set_optimizer_state_dict(self.model, optimizer, named, options=FULL)
        return found


def fitting(precision: str, *, kind: str) -> Any:
    """What "auto" stands for: bf16 where the processor or the GPU, whichever computes, has it (half the time)."""
    if precision != "auto":
        return precision
    if kind == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return "bf16-mixed" if any(getattr(torch.cpu, ask, bool)() for ask in asks) else "32-true"
