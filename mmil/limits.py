"""What signals are measured in, and what they and a sentence cannot exceed: beyond it a number is no measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "joint_pos": "rad",
        "joint_vel": "rad/s",
        "joint_torque": "N·m",
        "eef_pos_world": "m",
        "gripper_pos": "m",
        "wrench": "N, N·m",
    }
)
LONGEST = 400  # characters of a sentence that somebody says to a robot
LARGEST = 1e4  # of any signal: no joint, force or length of a table-top robot comes near
LIMITS: Mapping[str, float] = MappingProxyType(  # largest absolute value of signals whose unit we know
    {
        "joint_pos": 2 * math.pi + 0.5,  # [rad]
        "joint_vel": 50.0,  # [rad/s]
        "joint_torque": 1e3,  # [N·m]
        "eef_pos_world": 10.0,  # [m]
        "eef_quat_xyzw": 1.2,  # sensors have noise
        "gripper_pos": 1.0,  # [m]
    }
)


def limit(signal: str) -> float:
    return LIMITS.get(signal, LARGEST)
