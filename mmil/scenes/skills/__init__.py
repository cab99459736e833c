"""What can be asked for on a table: a file a verb."""

from mmil.scenes.skills.lift import Lift
from mmil.scenes.skills.push import Push
from mmil.scenes.skills.skill import Skill
from mmil.scenes.skills.touch import Touch

__all__ = ["Lift", "Push", "Skill", "Touch"]
