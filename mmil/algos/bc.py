"""Behavioural cloning: answer as the expert does in the states of the data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from mmil.algos.algorithm import Algorithm
from mmil.algos.looking import looking_loss, looking_told
from mmil.algos.matching import Matching
from mmil.algos.reading import Reading
from mmil.algos.schedule import Schedule, rate
from mmil.algos.sharding import require_groups, shared_like, whole
from mmil.contracts import Batch, Goal, Spec, require_number
from mmil.data.sentences import number
from mmil.data.stats import Stats
from mmil.encoders.fusion import Context
from mmil.encoders.symbols import QUESTIONS
from mmil.policy import Policy


class BC(Algorithm):
    """A Policy under AdamW with warm-up and a schedule, and an average of its weights that is what gets evaluated.

    learning_rate, weight_decay: AdamW's. warmup: steps to the full rate. average: decay of the moving average of
    weights (0: none). pretrained_scale: factor on the rate of pretrained parts that are fine-tuned. reading, looking,
    matching: weights of the lessons that tell the data set's sentences apart, where the thing asked for and its target
    are seen, and whether what is done is what is asked (0: none; the last needs the data's `others`).
    bound: sentences that are true in the scene of one episode alone.
    """

    def __init__(
        self,
        spec: Spec,
        stats: Stats,
        *,
        policy: Callable[[Spec, Stats], Policy],
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        warmup: int = 100,
        schedule: Schedule = "cosine",
        average: float = 0.998,
        pretrained_scale: float = 0.1,
        reading: float = 0.1,
        looking: float = 0.3,
        matching: float = 0.0,
        sentences: Mapping[Goal, Sequence[str]] | None = None,
        bound: Sequence[str] = (),
    ) -> None:
        super().__init__()
        require_number(above=0, learning_rate=learning_rate)
        require_number(least=0, weight_decay=weight_decay, warmup=warmup, pretrained_scale=pretrained_scale)
        require_number(least=0, reading=reading, looking=looking, matching=matching)
        require_number(least=0, below=1, average=average)
        self.policy, self.stats = policy(spec, stats), stats
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.rate = partial(rate, schedule=schedule, warmup=warmup)
        self.average, self.pretrained_scale = average, pretrained_scale
        self.reading_weight = reading if sentences else 0.0
        if sentences and self.reading_weight:
            language = self.policy.language
            size, questions = language.tokens * language.width, self.policy.fusion.questions
            symbols = 0 if language.symbols is None else language.symbols.count
            self.reading = Reading(sentences, size=size, questions=QUESTIONS if symbols else questions, symbols=symbols)
        self.looking_weight = looking if looking_told(spec) else 0.0
        self.matching_weight = matching
        if matching:
            self.matching = Matching(self.policy.fusion.width, (self.policy.future, len(spec.action)))
        self.averaged: dict[str, torch.Tensor] = {}
        self.sentences = [*bound, *(sentence for said in (sentences or {}).values() for sentence in said)]

    def on_fit_start(self) -> None:
        # a frozen text model reads all there is to read before the first step, not in the midst of training
        self.policy.language.read_ahead(self.sentences)

    def on_train_start(self) -> None:
        # a checkpoint may have been read before the weights went to their device; what is shared out lies there already
        for name in self.averaged:
            self.averaged[name] = self.averaged[name].to(self._trained[name].device)

    def on_train_epoch_start(self) -> None:
        # chance begins anew with every epoch, so that a resumed run meets what an undisturbed one met; all processes
        # have the same, and each takes what falls to its own windows
        torch.manual_seed(number(self.seed, "epoch", self.current_epoch) >> 1)

    def training_step(self, batch: Batch, index: int) -> torch.Tensor:
        context = self.policy.context(batch)
        loss = self.policy.loss(batch, context)
        self._log("loss", loss, batch, shown=True)
        for name, (weight, lesson) in self._lessons(context, batch).items():
            self._log(name, lesson, batch)
            loss = loss + weight * lesson
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        batch = replace(batch, weight=None)  # so that runs that weigh their demonstrations otherwise can be compared
        context, size = self.policy.context(batch), len(batch.instruction)
        actions = int(batch.valid.sum())  # what the loss is a mean over: so it is the same in batches of any size
        self.log("val/loss", self.policy.loss(batch, context), prog_bar=True, batch_size=actions, sync_dist=True)
        if self.looking_weight:
            self.log("val/looking", self._looking(context, batch), batch_size=size, sync_dist=True)

    def _lessons(self, context: Context, batch: Batch) -> dict[str, tuple[float, torch.Tensor]]:
        """Name → weight and loss of what is taught beside imitation."""
        lessons = {}
        if self.looking_weight:
            lessons["looking"] = (self.looking_weight, self._looking(context, batch))
        if self.reading_weight:
            lessons["reading"] = (self.reading_weight, self.reading.loss(context.sentence, batch.instruction))
        if self.matching_weight:
            lessons["matching"] = (self.matching_weight, self.matching.loss(context.vector, batch))
        return lessons

    def _looking(self, context: Context, batch: Batch) -> torch.Tensor:
        return looking_loss(context.looks, batch, grids=self.policy.vision.grids, aspects=self.policy.aspects)

    def _log(self, name: str, loss: torch.Tensor, batch: Batch, *, shown: bool = False) -> None:
        if self.tells:
            size = len(batch.instruction)
            self.log(f"train/{name}", loss, on_step=True, on_epoch=False, batch_size=size, prog_bar=shown)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = AdamW(
            self._groups(),
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            foreach=True,  # on processors too: there are many small tensors
        )
        total = int(self.trainer.estimated_stepping_batches)
        schedule = LambdaLR(optimizer, partial(self.rate, total=total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _groups(self) -> list[dict[str, Any]]:
        """What learns and what is tuned; of each, matrices and then what has fewer axes, which does not decay.

        Norms, biases and gates mean something at other values than 0, and the height of the ground is in metres.
        """
        pretrained = [
            p for part in (self.policy.vision.backbone, self.policy.language.model) for p in part.parameters()
        ]
        tuned = {id(parameter) for parameter in pretrained}
        own = [p for p in self.parameters() if p.requires_grad and id(p) not in tuned]
        groups = []
        for some, scale in ((own, 1.0), ([p for p in pretrained if p.requires_grad], self.pretrained_scale)):
            rate = self.learning_rate * scale
            groups.append({"params": [p for p in some if p.dim() > 1], "lr": rate})
            groups.append({"params": [p for p in some if p.dim() < 2], "lr": rate, "weight_decay": 0.0})
        return [group for group in groups if group["params"]]

    # -- the moving average (Polyak 1992): updated after every step, swapped in for validation and for what is kept ----

    def on_train_batch_end(self, outputs: Any, batch: Batch, index: int) -> None:
        if not self.average:
            return
        # a short memory at first, so that the first weights do not linger
        decay = min(self.average, (1 + self.global_step) / (10 + self.global_step))
        trained = {name: value.data for name, value in self._trained.items()}
        if not self.averaged:
            self.averaged = {name: value.clone() for name, value in trained.items()}
        torch._foreach_lerp_([self.averaged[name] for name in trained], list(trained.values()), 1 - decay)

    def on_validation_start(self) -> None:
        self.swap_average()

    def on_validation_end(self) -> None:
        self.swap_average()

    @torch.no_grad()
    def swap_average(self) -> None:
        """Exchange the weights and their average; a second call puts them back."""
        for name, value in self._trained.items():
            if name in self.averaged:
                kept = self.averaged[name].clone()
                self.averaged[name].copy_(value.data)
                value.data.copy_(kept)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["averaged"] = {name: whole(value) for name, value in self.averaged.items()}
        checkpoint["spec"], checkpoint["stats"] = self.policy.spec.to_json(), self.stats.to_json()
        checkpoint["config"] = self.resolved
        # frozen parts are in model.safetensors and never change
        frozen = {name for name, value in self.named_parameters() if not value.requires_grad}
        checkpoint["state_dict"] = {k: v for k, v in checkpoint["state_dict"].items() if k not in frozen}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        require_groups(self._groups(), checkpoint["optimizer_states"])
        averaged = checkpoint["averaged"]
        self.averaged = {name: shared_like(value, self._trained[name]).clone() for name, value in averaged.items()}
        checkpoint["state_dict"] = {**self.state_dict(), **checkpoint["state_dict"]}

    @cached_property
    def _trained(self) -> dict[str, nn.Parameter]:
        return {name: value for name, value in self.named_parameters() if value.requires_grad}
