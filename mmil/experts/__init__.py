"""Demonstrators: actors that read privileged state."""

from mmil.experts.lift import Lift

__all__ = ["Lift"]
