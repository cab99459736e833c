"""How the attempts at a data set ended, by verb and by quality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from data_tools.part import NOBODY_ASKED, Attempt


class Tally:
    """Counts of endings."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()  # verb, ending
        self._qualities: Counter[tuple[str, str]] = Counter()  # quality, ending
        self._reasons: Counter[tuple[str, str]] = Counter()  # ending, reason

    def add(self, attempts: Iterable[Attempt]) -> None:
        for attempt in attempts:
            self._counts[attempt.verb, attempt.ending] += 1
            if attempt.quality:
                self._qualities[attempt.quality, attempt.ending] += 1
            self._reasons[attempt.ending, attempt.reason] += 1

    def to_json(self) -> dict[str, dict[str, int]]:
        """Verb → ending → attempts."""
        return _nested(self._counts)

    def qualities(self) -> dict[str, dict[str, int]]:
        """Quality → ending → attempts, if there are several qualities."""
        found = _nested(self._qualities)
        return found if len(found) > 1 else {}

    def count(self, ending: str) -> int:
        return sum(number for (_, e), number in self._counts.items() if e == ending)

    def reasons(self, ending: str) -> dict[str, int]:
        """Why so many attempts ended so."""
        return {reason: number for (e, reason), number in sorted(self._reasons.items()) if e == ending}

    @property
    def note(self) -> str:
        """How often the expert succeeded."""
        of_verb = rates(self.to_json()).values()
        successes, attempts = sum(done for done, _ in of_verb), sum(tried for _, tried in of_verb)
        return f"expert {successes}/{attempts} = {successes / attempts:.1%}" if attempts else ""

    @property
    def skills(self) -> str:
        """The same by skill, if there are several."""
        of_verb = rates(self.to_json())
        listed = [f"{verb} {done / tried:.0%} of {tried}" for verb, (done, tried) in of_verb.items()]
        return " · ".join(listed) if len(listed) > 1 else ""


def _nested(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    names = sorted({name for name, _ in counts})
    return {name: {e: n for (one, e), n in sorted(counts.items()) if one == name} for name in names}


def rates(endings: Mapping[str, Mapping[str, int]]) -> dict[str, tuple[int, int]]:
    """Verb → successes, attempts; of what Tally.to_json says, without what ended before anything was asked."""
    return {
        verb: (counts.get("success", 0), sum(counts.values()))
        for verb, counts in endings.items()
        if verb != NOBODY_ASKED
    }
