"""What a data set will cost, as its first episodes show it: on the way, or before anything is begun."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from data_tools.station import Delivery
from mmil.contracts import UserError
from mmil.data.store import Store
from mmil.evaluation.page import duration, size

PROBES = 8  # episodes, before anything is said


@dataclass
class Forecast:
    """`left`: episodes to make in this run; `together`: that are made at a time, if that is known."""

    store: Store
    left: int
    per_shard: int
    together: int | None
    _seen: list[tuple[float, int]] = field(default_factory=list)  # seconds and bytes of each

    def learn(self, delivery: Delivery) -> str | None:
        """A line, once; UserError where what is left would not fit on the disk."""
        self._seen.append((delivery.seconds, len(delivery.part.sample)))
        if len(self._seen) != PROBES or self.left <= PROBES:
            return None
        return self._line(self.left - PROBES, "the other")

    def foretell(self, deliveries: Iterable[Delivery]) -> str:
        """The line for all of it, from episodes that are not kept."""
        self._seen += [(delivery.seconds, len(delivery.part.sample)) for delivery in deliveries]
        return self._line(self.left, "all")

    def _line(self, left: int, which: str) -> str:
        seconds, bytes_ = (sum(column) / len(self._seen) for column in zip(*self._seen, strict=True))
        need, free = bytes_ * (left + self.per_shard), self.store.free  # a shard stands beside its parts for a moment
        if free is not None and need > free:
            raise UserError(
                f"{left} episodes more take about {size(need)}, and {size(free)} are free at {self.store}: make room, "
                "or ask for fewer; what is made stays"
            )
        total = f"{duration(seconds * left)} of one core" if self.together is None else self._time(seconds * left)
        room = "" if free is None else f" of {size(free)} that are free"
        each = f"{seconds:.1f} s and {size(bytes_)} an episode"
        return f"estimate: {each}; {which} {left} take {total} and {size(bytes_ * left)}{room}"

    def _time(self, seconds: float) -> str:
        workers = self.together or 1
        return f"{duration(seconds / workers)} with {workers} worker{'s' if workers > 1 else ''}"
