"""What goes wrong, by who can do something about it."""

from __future__ import annotations


class UserError(Exception):
    """Something the user gave is not usable; the message is one line that says what was got and what exists."""


class Infeasible(UserError):
    """This seed's draws make no scene; another seed's may."""


class NotFinite(ValueError):
    """What was recorded is no episode: it holds a NaN or an infinity."""
