"""What can be said against an episode by looking at it alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from data_tools.guard import picture_faults
from mmil.contracts import BODY_POSES, Episode, Spec

LARGEST = 1e4  # of any signal: no joint, force or length of a table-top robot comes near
LIMITS = {  # largest absolute value of signals whose unit we know
    "joint_pos": 2 * math.pi + 0.5,  # [rad]
    "joint_vel": 50.0,  # [rad/s]
    "joint_torque": 1e3,  # [N·m]
    "eef_pos_world": 10.0,  # [m]
    "eef_quat_xyzw": 1.2,  # sensors have noise
    "gripper_pos": 1.0,  # [m]
}


def episode_reasons(episode: Episode, spec: Spec) -> Iterator[str]:
    """What is not as the Spec says, out of range, or never rendered."""
    yield from shape_reasons(episode, spec)
    yield from _thing_reasons(episode, spec)
    yield from _range_reasons(episode)
    yield from picture_faults(episode)


def shape_reasons(episode: Episode, spec: Spec) -> Iterator[str]:
    """Where cameras, signals, privileged state or actions are not those of the Spec."""
    if episode.scene != spec.scene:
        yield f"scene {episode.scene!r}, the Spec says {spec.scene!r}"
    kinds = (
        ("images", episode.images, spec.cameras),
        ("signals", episode.signals, spec.signals),
        ("privileged state", episode.privileged, spec.privileged),
    )
    for what, arrays, expected in kinds:
        found = {name: array.shape[1:] for name, array in arrays.items()}
        if found != dict(expected):
            yield f"{what} {found}, the Spec says {dict(expected)}"
    if episode.actions.shape[1] != len(spec.action):
        yield f"actions of {episode.actions.shape[1]} axes, the Spec says {len(spec.action)}"


def _thing_reasons(episode: Episode, spec: Spec) -> Iterator[str]:
    things = ", ".join(map(str, episode.things))
    if BODY_POSES in spec.privileged and spec.privileged[BODY_POSES][:1] != (len(episode.things),):
        yield f"things {things or 'none'}, the Spec says {', '.join(map(str, spec.privileged[BODY_POSES][:1]))}"
    elif episode.things and episode.goal.object not in episode.things:
        yield f"goal {episode.goal}, but the things are {things}"


def _range_reasons(episode: Episode) -> Iterator[str]:
    for name, array in {"actions": episode.actions, "labels": episode.labels}.items():
        if len(array) and np.abs(array).max() > 1.0:
            yield f"{name} reach {np.abs(array).max():.3f}, outside [-1, 1]"
    for name, array in episode.signals.items():
        if (peak := np.abs(array).max(initial=0.0)) > LIMITS.get(name, LARGEST):
            yield f"signal {name} reaches {peak:.3g}, more than {LIMITS.get(name, LARGEST):.3g}"
