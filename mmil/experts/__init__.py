"""Demonstrators: actors that read privileged state."""

from mmil.experts.disturbed import Disturbed
from mmil.experts.lift import Lift
from mmil.experts.push import Push
from mmil.experts.skilled import Skilled
from mmil.experts.touch import Touch

__all__ = ["Disturbed", "Lift", "Push", "Skilled", "Touch"]
