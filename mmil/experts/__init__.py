"""Demonstrators: actors that read privileged state."""

from mmil.experts.carry import Insert, Place, Put, Stack
from mmil.experts.disturbed import Disturbed
from mmil.experts.drawer import Close, Open
from mmil.experts.flip import Flip
from mmil.experts.graded import Graded
from mmil.experts.lift import Lift
from mmil.experts.mannered import Mannered
from mmil.experts.press import Press
from mmil.experts.push import Push
from mmil.experts.skilled import Skilled
from mmil.experts.straight import Straight
from mmil.experts.touch import Touch
from mmil.experts.transferred import Transferred
from mmil.experts.wipe import Wipe

__all__ = [
    "Close",
    "Disturbed",
    "Flip",
    "Graded",
    "Insert",
    "Lift",
    "Mannered",
    "Open",
    "Place",
    "Press",
    "Push",
    "Put",
    "Skilled",
    "Stack",
    "Straight",
    "Touch",
    "Transferred",
    "Wipe",
]
