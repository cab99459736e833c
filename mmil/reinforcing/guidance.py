"""What reinforcement makes of demonstrations."""

from __future__ import annotations

from dataclasses import dataclass

from mmil.contracts import UserError, require_number


@dataclass(frozen=True)
class Guidance:
    """None of it is learning from scratch, but for what the policy sees by.

    cloned: a policy that was cloned from them leads, and what it does is shifted. shown: the share of what is learnt
    from that are demonstrations (RLPD, Ball 2023). led: the share of attempts that begin where a demonstration has
    been, ever earlier: near its end at first, anywhere when a share `back` of the budget is spent (Salimans 2018).
    imitation: weight of the distance to what the expert would have done in demonstrations, which falls to 0 in a line
    until a share `fades` of the budget is spent (Rajeswaran 2018).
    """

    cloned: bool = True
    shown: float = 0.0
    led: float = 0.0
    back: float = 0.5
    imitation: float = 0.0
    fades: float = 0.5

    def __post_init__(self) -> None:
        for name in ("shown", "led"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; it is a share, 0 to below 1")
        require_number(above=0, back=self.back, fades=self.fades)
        require_number(least=0, imitation=self.imitation)

    @property
    def shows(self) -> bool:
        """Whether demonstrations are learnt from, beside what is tried."""
        return self.shown > 0 or self.imitation > 0

    def weight(self, gone: float) -> float:
        """Of imitation, when such a share of the budget is spent."""
        return self.imitation * max(0.0, 1 - gone / self.fades)

    def earliest(self, gone: float) -> float:
        """The share of a demonstration that is followed at least, when such a share of the budget is spent."""
        return max(0.0, 1 - gone / self.back)
