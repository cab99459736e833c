"""What can be said against an episode by looking at it alone."""

from __future__ import annotations

from collections.abc import Iterator

from data_tools.guard import map_faults, picture_faults, signal_faults
from mmil.contracts import BODY_POSES, Episode, Spec


def episode_reasons(episode: Episode, spec: Spec) -> Iterator[str]:
    """What is not as the Spec says, out of range, or never rendered."""
    yield from shape_reasons(episode, spec)
    yield from _thing_reasons(episode, spec)
    yield from signal_faults(episode)
    yield from picture_faults(episode)
    yield from map_faults(episode)


def shape_reasons(episode: Episode, spec: Spec) -> Iterator[str]:
    """Where cameras, maps, signals, privileged state or actions are not those of the Spec."""
    if episode.scene != spec.scene:
        yield f"scene {episode.scene!r}, the Spec says {spec.scene!r}"
    kinds = (
        ("images", episode.images, spec.cameras),
        ("maps", episode.maps, spec.maps),
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
