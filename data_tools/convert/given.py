"""What a person says of a source where it does not say so itself. Nothing is guessed: what is missing is asked for.

A missing answer is written down and a placeholder returned, so that settle() can ask for all of them in one line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from data_tools.convert.notes import Notes
from mmil.contracts import Outcome, UserError

Row0 = Literal["top", "bottom"]
Observed = Literal["before", "after"]
Actions = Literal["as_is", "clip", "scale"]


@dataclass(frozen=True, kw_only=True)
class Given:
    """Answers to what a format may leave open; None where the person said nothing."""

    control_hz: float | None = None
    row0: Row0 | None = None
    observed: Observed | None = None
    instruction: str | None = None
    outcome: Outcome | None = None
    scene: str | None = None
    action_names: Sequence[str] | None = None
    actions: Actions = "as_is"
    conventions: Mapping[str, str] = field(default_factory=dict)
    leave_out: Sequence[str] = ()
    _questions: dict[str, None] = field(default_factory=dict, init=False, repr=False)

    @property
    def said(self) -> dict[str, Any]:
        """The answers that were given, as JSON values."""
        fields = [item for item in dataclasses.fields(self) if item.init]
        default = Given()
        plain = {item.name: getattr(self, item.name) for item in fields}
        return {name: value for name, value in plain.items() if value != getattr(default, name)}

    def ask(self, question: str) -> None:
        """Write down what only a person can answer."""
        self._questions[question] = None

    def settle(self) -> None:
        """Raise UserError with every open question, if there is any."""
        if self._questions:
            raise UserError(f"the source leaves open {'; '.join(self._questions)}")

    def rate(self, said: float | None, notes: Notes) -> float:
        """[Hz], from the source or from the person, who may not contradict each other."""
        if said is None and self.control_hz is None:
            self.ask("its control rate: give --control_hz, say 20")
            return 1.0
        if said is not None and self.control_hz is not None and said != self.control_hz:
            raise UserError(f"the source says {said:g} Hz, --control_hz {self.control_hz:g}; leave the option out")
        rate = said if said is not None else float(self.control_hz or 0)
        if not 0 < rate < 10_000:
            raise UserError(f"a control rate of {rate} Hz cannot be; robots run at 1 to 1000")
        notes.read["control_hz"] = f"{rate:g}, {'the source says' if said is not None else '--control_hz'}"
        return float(rate)

    def told(self, said: Mapping[str, str], needed: Iterable[str], notes: Notes) -> dict[str, str]:
        """The conventions: what the source says, and what the person does of the rest."""
        twice = sorted(said.keys() & self.conventions.keys())
        if twice:
            raise UserError(f"the source itself says its {twice[0]}: {said[twice[0]]!r}; do not give it another")
        for name in needed:
            if name not in said and name not in self.conventions:
                self.ask(
                    f"what its {name} numbers mean: give --conventions.{name} in words, such as "
                    f"{EXAMPLES.get(name, 'xyz')!r}, or 'unknown' if nobody knows"
                )
        notes.read |= {name: f"{text}, the source's layout says" for name, text in said.items()}
        notes.read |= {name: f"{text}, --conventions" for name, text in self.conventions.items()}
        return {**said, **self.conventions}

    def judged(self, found: bool | None) -> Outcome:
        """How an episode ended; `found` is whether the source says it succeeded."""
        if self.outcome is not None:
            return self.outcome
        if found is None:
            self.ask(
                "whether its episodes succeeded, for it has no next.success and no reward of 1: give --outcome success "
                "for demonstrations, --outcome timeout for anything else"
            )
        return "success" if found else "timeout"

    def sentence(self, said: str | None) -> str:
        """What was asked for."""
        text = self.instruction if self.instruction is not None else (said or "")
        if not text.strip():
            self.ask("what its robot was asked to do: give --instruction 'lift the cube'")
        return text.strip()

    def axes(self, said: Sequence[str] | None, count: int, notes: Notes) -> tuple[str, ...]:
        """A name an axis of the action."""
        if self.action_names is not None:
            if len(self.action_names) != count:
                raise UserError(f"{len(self.action_names)} --action_names for actions of {count} axes")
            return tuple(self.action_names)
        if said is not None and len(said) == count:
            return tuple(said)
        notes.made["action names"] = f"action_0 … action_{count - 1}: the source names none; --action_names would"
        return tuple(f"action_{axis}" for axis in range(count))


EXAMPLES = {"action": "absolute joint positions [rad]", "quaternion": "xyzw, world from gripper"}
