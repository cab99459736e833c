"""Foreign names and ours: one meaning and one unit a name, or the foreign name stays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mmil.contracts import UserError

# what robosuite's observables measure (robots/robot.py): site and joint values in SI units, world frame, xyzw.
# robot0_eef_quat is another frame, that of the hand's body, and so keeps its name
ROBOSUITE = {
    "robot0_joint_pos": "joint_pos",
    "robot0_joint_vel": "joint_vel",
    "robot0_eef_pos": "eef_pos_world",
    "robot0_eef_quat_site": "eef_quat_xyzw",
    "robot0_gripper_qpos": "gripper_pos",
}
# what LIBERO's create_dataset.py makes of the same observables; its ee_ori is an axis-angle of the hand's body
LIBERO = {"joint_states": "joint_pos", "ee_pos": "eef_pos_world", "gripper_states": "gripper_pos"}
OBJECTS = {"object": "object", "object-state": "object-state"}  # where things are: no policy's to know
LONGEST_CAMERA, LONGEST_SCENE = 40, 24  # a member of a shard has 100 bytes for its name


def legal(name: str, *, longest: int) -> str:
    """`name` in the letters that shards allow."""
    return re.sub(r"[^a-z0-9_-]+", "_", name.lower()).strip("_")[:longest].rstrip("_") or "unnamed"


def legal_names(names: Iterable[str], known: Mapping[str, str], *, longest: int = 60) -> dict[str, str]:
    """{foreign: ours}; two that would become one are refused."""
    chosen: dict[str, str] = {}
    for name in names:
        mine = known.get(name, legal(name, longest=longest))
        twin = next((other for other, taken in chosen.items() if taken == mine), None)
        if twin is not None:
            raise UserError(f"{twin!r} and {name!r} would both be {mine!r} here; give --leave_out for one of them")
        chosen[name] = mine
    return chosen
