"""robosuite's own tasks, a thin adapter each: its placements, its check of success, our cameras and sentences."""

from mmil.scenes.classic.can import Can
from mmil.scenes.classic.door import Door
from mmil.scenes.classic.lift import Lift
from mmil.scenes.classic.nut_assembly import NutAssembly
from mmil.scenes.classic.pick_place import PickPlace
from mmil.scenes.classic.stack import Stack
from mmil.scenes.classic.wipe import Wipe

__all__ = ["Can", "Door", "Lift", "NutAssembly", "PickPlace", "Stack", "Wipe"]
