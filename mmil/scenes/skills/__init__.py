"""What can be asked for on a table: a file a verb, or two that belong together."""

from mmil.scenes.skills.drawer import Close, Open
from mmil.scenes.skills.flip import Flip
from mmil.scenes.skills.insert import Insert
from mmil.scenes.skills.lift import Lift
from mmil.scenes.skills.place import Place
from mmil.scenes.skills.press import Press
from mmil.scenes.skills.push import Push
from mmil.scenes.skills.put import Put
from mmil.scenes.skills.skill import Skill
from mmil.scenes.skills.stack import Stack
from mmil.scenes.skills.touch import Touch
from mmil.scenes.skills.wipe import Wipe

__all__ = [
    "Close",
    "Flip",
    "Insert",
    "Lift",
    "Open",
    "Place",
    "Press",
    "Push",
    "Put",
    "Skill",
    "Stack",
    "Touch",
    "Wipe",
]
