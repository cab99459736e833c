"""Demonstrations as attempts: what an expert did, as the shifts of the policy that would have done so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from mmil.contracts import DECIDED, Episode, Observation, UserError
from mmil.data.chosen import Chosen
from mmil.data.dataset import Dataset
from mmil.data.members import read_samples
from mmil.data.sample import decode_arrays
from mmil.data.sentences import Rephrase, read_sentences
from mmil.data.shards import Row
from mmil.policy import Policy
from mmil.progress import progress
from mmil.reinforcing.attempt import Attempt
from mmil.reinforcing.explorer import Explorer
from mmil.reinforcing.ground import Followed


def attempts_of(policy: Policy, data: Path, *, validation: float = 0.0, misled: bool = False) -> list[Attempt]:
    """Of a data set's successes, seen by this policy.

    validation: leave out the share that is held out for it. misled: seen as if another goal of its scene had been asked
    for; those of scenes that have no other goal are left out.
    """
    dataset, explorer = Dataset.open(data), Explorer(policy)
    dataset.spec.require(policy.spec, mine=str(data), theirs="the policy's Spec")
    rows = _successes(dataset, validation=validation)
    sentence = _misled(dataset)
    told = {row.key: sentence(row) for row in rows} if misled else {}
    rows = [row for row in rows if not misled or told[row.key] is not None]
    numbers = {row.key: number for number, row in enumerate(dataset.rows)}
    doing = f"looking at {dataset.path.name}{', misled' if misled else ''}"
    found = []
    for row, sample in progress(read_samples(dataset.path, rows), doing, total=len(rows), unit="episodes"):
        episode = dataset.decode(numbers[row.key], sample)
        found.append(_attempt(explorer, episode, told.get(row.key) or episode.instruction))
    return found


def followed_of(data: Path) -> list[Followed]:
    """Of a data set's successes, what it takes to do again what was done."""
    dataset = Dataset.open(data)
    every = read_samples(dataset.path, _successes(dataset), want=lambda suffix: suffix == "npz")
    return [
        Followed(row.seed, row.goal, row.instruction, decode_arrays(sample["npz"], ["actions"])["actions"])
        for row, sample in every
    ]


def _successes(dataset: Dataset, *, validation: float = 0.0) -> list[Row]:
    chosen = Chosen(validation=validation).rows(dataset, training=True, of=dataset.path)
    rows = [row for row in chosen if row.outcome == "success"]
    if not rows:
        raise UserError(f"{dataset.path} holds {len(dataset)} episodes, but no success that could guide anybody")
    return rows


def _misled(dataset: Dataset) -> Callable[[Row], str | None]:
    """Who says a sentence for another goal of an episode's scene, where there is one."""
    rephrase = Rephrase(sentences=read_sentences(dataset.manifest), others=1.0)

    def sentence(row: Row) -> str | None:
        told = rephrase(row.goal, row.instruction, things=row.things, key=row.key, t=0, epoch=0)
        return None if told.own else told.sentence

    return sentence


def _attempt(explorer: Explorer, episode: Episode, instruction: str) -> Attempt:
    head, steps = explorer.head, len(episode.actions)
    explorer.reset(0)
    for t, observation in enumerate(_observations(episode, instruction)):
        if t % head.steps == 0 or t == steps:
            explorer.judge(observation)
        else:
            explorer.watch(observation)
    leads = torch.stack(explorer.leads[:-1])
    done, wanted = (_chunks(actions, head.steps) for actions in (episode.actions, episode.labels))
    return Attempt(
        situations=torch.stack(explorer.situations),
        shifts=head.shift_to(leads, done),
        rewards=torch.tensor([part.sum() for part in np.split(episode.rewards, range(head.steps, steps, head.steps))]),
        decided=episode.outcome in DECIDED,
        success=episode.success,
        steps=steps,
        led=steps,
        wanted=head.shift_to(leads, wanted),
    )


def _observations(episode: Episode, instruction: str) -> Iterator[Observation]:
    for t in range(len(episode.actions) + 1):
        images = {camera: frames[t] for camera, frames in episode.images.items()}
        signals = {name: values[t] for name, values in episode.signals.items()}
        maps = {name: frames[t] for name, frames in episode.maps.items()}
        yield Observation(images, signals, instruction, maps)


def _chunks(actions: np.ndarray, steps: int) -> torch.Tensor:
    """(T', steps, A) of actions (T, A); the last is held past the end."""
    held = np.repeat(actions[-1:], -len(actions) % steps, axis=0)
    return torch.from_numpy(np.concatenate([actions, held])).unflatten(0, (-1, steps))
