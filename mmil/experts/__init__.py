"""Demonstrators: actors that read privileged state."""

from mmil.experts.disturbed import Disturbed
from mmil.experts.lift import Lift

__all__ = ["Disturbed", "Lift"]
