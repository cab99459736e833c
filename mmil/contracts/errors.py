"""What goes wrong, by who can do something about it."""

from __future__ import annotations

import math
from collections.abc import Iterable


class UserError(Exception):
    """Something the user gave is not usable; the message is one line that says what was got and what exists."""


class Infeasible(UserError):
    """This seed's draws make no scene; another seed's may."""


class NotFinite(ValueError):
    """What was recorded is no episode: it holds a NaN or an infinity."""


def require_known(
    what: str, asked: Iterable[object], known: Iterable[str], *, some: bool = False, where: str = ""
) -> None:
    """Refuse names that are not among those known, and with `some` also to be given none: no `what` 'name' `where`."""
    asked, known = list(asked), list(known)
    unknown = sorted({repr(name) for name in asked if name not in known})
    if unknown or (some and not asked):
        told = " ".join(part for part in (what, ", ".join(unknown) or "(none given)", where) if part)
        raise UserError(f"no {told}; there are {', '.join(known) or 'none'}")


def require_number(
    *, least: float | None = None, above: float | None = None, below: float | None = None, **values: float
) -> None:
    """Refuse any of these named values that is not finite or out of the bounds, of which there is at least one."""
    told = {"at least": least, "above": above, "below": below}
    bounds = " and ".join(f"{how} {bound}" for how, bound in told.items() if bound is not None)
    for name, value in values.items():
        low = (least is None or value >= least) and (above is None or value > above)
        if not (low and (below is None or value < below) and math.isfinite(value)):
            finite = "" if math.isfinite(value) else "finite and "
            raise UserError(f"{name} is {value}; it must be {finite}{bounds}")
