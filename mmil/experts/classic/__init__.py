"""Experts for robosuite's own tasks; for its Lift, `mmil.experts.Lift` serves as well, for its Can PickPlace."""

from mmil.experts.classic.door import Door
from mmil.experts.classic.nut_assembly import NutAssembly
from mmil.experts.classic.pick_place import PickPlace
from mmil.experts.classic.stack import Stack
from mmil.experts.classic.wipe import Wipe
from mmil.experts.lift import Lift

__all__ = ["Door", "Lift", "NutAssembly", "PickPlace", "Stack", "Wipe"]
