"""What a head learnt from demonstrations, and a correction of it that is learnt by reinforcement."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from mmil.contracts import UserError, require_number
from mmil.execution import EXECUTE
from mmil.heads.head import Head
from mmil.heads.mixture import Mixture

QUIETEST, LOUDEST = -6.0, 1.0  # logarithms of the spread of what is drawn


class Corrected(Head):
    """`head` leads, and those of its actions that are done before the next plan are shifted (Silver 2018).

    Until something reinforces it the shift is 0, and the whole is that head. The shift is drawn anew for every chunk
    while it is learnt, and its likeliest value is done otherwise. reach: the largest shift; with 2, whatever the head
    wants, anything else can be done. spread: of what is drawn at first, in units of the largest shift. held: all those
    actions are shifted alike, so that there is less to find out, and what is tried lasts. Where the head does not lead
    (`follow`) the shift is the action, and the largest is 1.
    """

    leads: torch.Tensor  # 1, or 0 where what is drawn is all there is

    def __init__(
        self,
        context: int,
        chunk: tuple[int, int],
        *,
        head: Callable[[int, tuple[int, int]], Head] = Mixture,
        width: int = 256,
        reach: float = 2.0,
        spread: float = 0.05,
        held: bool = False,
    ) -> None:
        super().__init__()
        require_number(least=1, width=width)
        if not 0 < reach <= 2:
            raise UserError(f"reach is {reach}; actions are within ±1: a shift reaches above 0 and at most 2")
        require_number(above=0, below=1, spread=spread)
        self.head, self.spread, self._reach = head(context, chunk), spread, reach
        self.steps, self.axes = min(EXECUTE, chunk[0]), chunk[1]  # as a runner does them
        self.numbers = self.axes if held else self.steps * self.axes  # of a shift
        self.context_width, self.situation_width = context, context + self.steps * self.axes
        self.actor = Drawing(self.situation_width, self.numbers, width=width, spread=spread).requires_grad_(False)
        self.register_buffer("leads", torch.tensor(1.0))

    def follow(self, *, spread: float) -> None:
        """Learn without the head's lead, from shifts that are drawn with this spread at first."""
        self.leads.fill_(0.0)
        self.spread = spread
        self.actor.restart(spread)

    @property
    def reach(self) -> torch.Tensor:
        """The largest shift."""
        return 1.0 + self.leads * (self._reach - 1.0)

    def loss(self, context: torch.Tensor, actions: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """The head's own."""
        return self.head.loss(context, actions, valid)

    def sample(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A) in [−1, 1]."""
        lead = self.lead(context)
        location, _ = self.actor(self.situation(context, lead))
        return self.shifted(lead, location.tanh())

    def lead(self, context: torch.Tensor) -> torch.Tensor:
        """(B, H, A): what the head does by itself, or 0 where it does not lead."""
        return self.leads * self.head.sample(context)

    def situation(self, context: torch.Tensor, lead: torch.Tensor) -> torch.Tensor:
        """(B, S): all that a shift is drawn by, and valued by."""
        return torch.cat([context, lead[:, : self.steps].flatten(1)], dim=1)

    def shifted(self, lead: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Actions (B, H, A) of a lead and of a shift (B, N) in [−1, 1]."""
        first = lead[:, : self.steps] + self.reach * shift.unflatten(1, (-1, self.axes))
        return torch.cat([first, lead[:, self.steps :]], dim=1).clamp(-1, 1)

    def shift_to(self, lead: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """(B, N) within (−1, 1): the shift that comes nearest to making actions (B, steps, A) of a lead."""
        shift = (actions - lead[:, : self.steps]) / self.reach
        alike = self.numbers // self.axes  # how many differ
        return shift.unflatten(1, (alike, -1)).mean(dim=2).flatten(1).clamp(-0.98, 0.98)


class Drawing(nn.Module):
    """A situation (B, S) → location and scale (B, N) of a normal density whose tanh is drawn from."""

    def __init__(self, situation: int, numbers: int, *, width: int, spread: float) -> None:
        super().__init__()
        self.hidden = layers(situation, width)
        self.last = nn.Linear(width, 2 * numbers)
        self.restart(spread)

    def restart(self, spread: float) -> None:
        """Draw around 0, with this spread everywhere."""
        with torch.no_grad():
            nn.init.zeros_(self.last.weight)
            location, scale = self.last.bias.chunk(2)
            location.zero_()
            scale.fill_(torch.tensor(spread).log())

    def forward(self, situation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        location, scale = self.last(self.hidden(situation)).float().chunk(2, dim=-1)
        return location, scale.clamp(QUIETEST, LOUDEST).exp()


def layers(given: int, width: int) -> nn.Sequential:
    """Two, with norms: without them values of what was never done grow without bounds (Ball 2023)."""
    norms = (nn.LayerNorm(width), nn.LayerNorm(width))
    first = (nn.Linear(given, width), norms[0], nn.ReLU())
    return nn.Sequential(*first, nn.Linear(width, width), norms[1], nn.ReLU())
