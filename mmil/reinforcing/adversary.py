"""A reward that is learnt beside the policy: from demonstrations, and from all that was tried.

Who ended an episode stays where it ended, for ever, and that is judged as all else is (Kostrikov 2019 calls such states
absorbing): otherwise its length alone would tell the expert from others, and to end early or late would be worth
something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from tensordict import TensorDict
from torch import nn

from mmil.contracts import UserError, require_number
from mmil.reinforcing.attempt import Attempt
from mmil.rewards import Discriminator

Likelihood = Callable[[TensorDict], torch.Tensor]


class Adversary(nn.Module):
    """A discriminator and how it learns.

    updates: a round. penalty: on how steep it is between the expert's contexts and those of others (Thanh-Tung 2019),
    for a reward that falls off a cliff leads nowhere. noise: on every number of the contexts that it learns from, in
    units of the expert's spread (Arjovsky 2017): of a few demonstrations in many numbers it would else know each by
    heart, and none of the expert's others. softness: of the answers it is taught, which are never wholly sure. wrong:
    the share of what it learns not to be the expert's that is what the expert did, told another goal of its scene:
    without it nothing has to listen to the sentence.
    """

    def __init__(
        self,
        *,
        discriminator: Callable[[int], Discriminator],
        learning_rate: float = 3e-4,
        updates: int = 100,
        batch_size: int = 128,
        penalty: float = 1.0,
        noise: float = 0.0,
        softness: float = 0.05,
        wrong: float = 0.25,
    ) -> None:
        super().__init__()
        require_number(above=0, learning_rate=learning_rate)
        require_number(least=1, updates=updates, batch_size=batch_size)
        require_number(least=0, penalty=penalty, noise=noise)
        for name, value, below in (("softness", softness, 0.5), ("wrong", wrong, 1.0)):
            if not 0 <= value < below:
                raise UserError(f"{name} is {value}; it is a share, at least 0 and below {below:g}")
        self._make, self.learning_rate, self.updates = discriminator, learning_rate, updates
        self.batch_size, self.penalty, self.noise = batch_size, penalty, noise
        self.softness, self.wrong = softness, wrong

    def begin(self, context: int, likelihood: Likelihood, *, decisions: int, discount: float) -> None:
        """Make it for contexts of so many numbers, and forget what was seen.

        likelihood: (B, 1) of what was done, by the policy of the day. decisions: in an episode that lasts to the end.
        discount: of what comes a decision later.
        """
        self.context, self.likelihood, self.decisions, self.discount = context, likelihood, decisions, discount
        self.net = self._make(context)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.learning_rate)
        self.shown, self.misled, self.own = _Passed(), _Passed(), _Passed()

    def show(self, demonstrations: Sequence[Attempt], misled: Sequence[Attempt] = ()) -> None:
        """What the expert did; misled: the same, seen by who was told another goal of its scene."""
        self.shown.add(demonstrations, self.decisions)
        self.misled.add(misled, self.decisions)
        self.net.measure(self.shown.every()["situation"][:, : self.context])

    def add(self, attempts: Sequence[Attempt]) -> None:
        """What the policy did."""
        self.own.add(attempts, self.decisions)

    def learn(self) -> float:
        """A round's updates; the share that was told apart."""
        right = [self._update() for _ in range(self.updates)]
        return sum(right) / len(right)

    @torch.no_grad()
    def value(self, batch: TensorDict) -> TensorDict:
        """The same transitions, worth what they are by now: all that follows together is within ±MOST."""
        before, after = self._contexts(batch)
        still = self.net.reward(after, after)
        worth = self.net.reward(before, after) * (1 - self.discount)
        batch["next", "reward"] = worth + batch["next", "terminated"].float() * self.discount * still
        return batch

    def _update(self) -> float:
        expert, others = self.shown.drawn(self.batch_size), self._others()
        every = torch.cat([expert, others])
        before, after = map(self._blurred, self._contexts(every))
        likelihood = self.likelihood(every) / every["action"].shape[1] * every["acted"]
        logits = self.net(before, after, likelihood)
        answers = torch.cat([torch.ones(len(expert), 1), torch.zeros(len(others), 1)])
        soft = answers * (1 - 2 * self.softness) + self.softness
        loss = nn.functional.binary_cross_entropy_with_logits(logits, soft)
        if self.penalty:
            loss = loss + self.penalty * self._steepness(before, after, likelihood)
        if not torch.isfinite(loss):
            raise UserError("the loss of the reward is a NaN or an infinity: a smaller learning_rate may help")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(((logits > 0) == (answers > 0)).float().mean())

    def _others(self) -> TensorDict:
        wrong = round(self.wrong * self.batch_size) if self.misled else 0
        parts = [(self.own, self.batch_size - wrong), (self.misled, wrong)]
        return torch.cat([passed.drawn(count) for passed, count in parts if count])

    def _steepness(self, before: torch.Tensor, after: torch.Tensor, likelihood: torch.Tensor) -> torch.Tensor:
        """Mean square of the slope, on the way from the expert's contexts to those of others."""
        share = torch.rand(len(before) // 2, 1)
        ways = [share * one[: len(share)] + (1 - share) * one[len(share) :] for one in (before, after)]
        for one in ways:
            one.requires_grad_(True)
        logits = self.net(*ways, likelihood[: len(share)])
        slopes = torch.autograd.grad(logits.sum(), ways, create_graph=True, allow_unused=True)
        return sum((slope.square().sum(dim=1).mean() for slope in slopes if slope is not None), torch.zeros(()))

    def _blurred(self, contexts: torch.Tensor) -> torch.Tensor:
        """Measured, with noise."""
        measured = self.net.measured(contexts)
        return measured + self.noise * torch.randn_like(measured)

    def _contexts(self, batch: TensorDict) -> tuple[torch.Tensor, torch.Tensor]:
        return batch["situation"][:, : self.context], batch["next", "situation"][:, : self.context]

    def get_extra_state(self) -> dict[str, object]:
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict[str, object]) -> None:
        self.optimizer.load_state_dict(state)


class _Passed:
    """Transitions, and staying where an end was, as often as an episode that lasts would have gone on."""

    def __init__(self) -> None:
        self._parts, self._weights = list[TensorDict](), list[torch.Tensor]()

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, attempts: Sequence[Attempt], decisions: int) -> None:
        for one in attempts:
            if not len(one):
                continue
            passed = one.transitions().exclude("wanted")
            passed["acted"] = torch.ones(len(one), 1)
            self._parts.append(passed)
            self._weights.append(torch.ones(len(one)))
            if one.decided and len(one) < decisions:
                last = passed[-1:].clone()
                last["situation"], last["acted"] = last["next", "situation"], torch.zeros(1, 1)
                self._parts.append(last)
                self._weights.append(torch.tensor([float(decisions - len(one))]))

    def every(self) -> TensorDict:
        if len(self._parts) > 1:
            self._parts, self._weights = [torch.cat(self._parts)], [torch.cat(self._weights)]
        return self._parts[0]

    def drawn(self, count: int) -> TensorDict:
        """(count,) with torch's default generator."""
        every = self.every()
        return every[torch.multinomial(self._weights[0], count, replacement=True)]
