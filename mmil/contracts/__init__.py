"""The records that travel between the rooms, and the two interfaces that rollout() joins.

Dimension key, once for the project:
B batch · K past observations · H future actions · T actions in an episode ·
R wrench readings in a control step · A action · S simulator state · (h, w) pixels.

numpy only: every room may import this module, and it imports none of them.
"""

from mmil.contracts.batch import Batch
from mmil.contracts.episode import Episode, Trial
from mmil.contracts.errors import Infeasible, NotFinite, UserError, require_known, require_number
from mmil.contracts.goal import (
    BESIDE,
    DECIDED,
    DO,
    HELD_STEPS,
    OUTCOMES,
    SIDES,
    SLOW_TIME,
    Goal,
    Outcome,
    Split,
    Thing,
    require_feasible,
)
from mmil.contracts.interfaces import VISITED, Actor, Scene
from mmil.contracts.maps import (
    MOST_THINGS,
    ROBOT,
    STREAMS,
    Stream,
    camera_of,
    map_dtype,
    map_name,
    metres,
    millimetres,
    stream_of,
)
from mmil.contracts.spans import Spans, flags_of, spans_of, spans_told
from mmil.contracts.spec import Spec, flattened
from mmil.contracts.state import BODY_POSES, Body, Observation, State, Step

__all__ = [
    "BESIDE",
    "BODY_POSES",
    "DECIDED",
    "DO",
    "HELD_STEPS",
    "MOST_THINGS",
    "OUTCOMES",
    "ROBOT",
    "SIDES",
    "SLOW_TIME",
    "STREAMS",
    "VISITED",
    "Actor",
    "Batch",
    "Body",
    "Episode",
    "Goal",
    "Infeasible",
    "NotFinite",
    "Observation",
    "Outcome",
    "Scene",
    "Spans",
    "Spec",
    "Split",
    "State",
    "Step",
    "Stream",
    "Thing",
    "Trial",
    "UserError",
    "camera_of",
    "flags_of",
    "flattened",
    "map_dtype",
    "map_name",
    "metres",
    "millimetres",
    "require_feasible",
    "require_known",
    "require_number",
    "spans_of",
    "spans_told",
    "stream_of",
]
