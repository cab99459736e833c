"""When the expert is asked: in which of the states that a policy leads into a label is wanted most."""

from mmil.asking.asked import Asked
from mmil.asking.disagreement import Disagreement
from mmil.asking.failure import Failure
from mmil.asking.novelty import Novelty
from mmil.asking.rule import Rule

__all__ = ["Asked", "Disagreement", "Failure", "Novelty", "Rule"]
