"""Where seeds come from: those of episodes are even, those of trials odd, so the two can never meet."""

from __future__ import annotations

import hashlib

import numpy as np

_EPISODE, _TRIAL, _SENTENCE, _LOOK = range(4)


def episode_seed(seed: int, index: int, attempt: int = 0) -> int:
    """The scene's seed (even, 63 bits) for the given attempt at episode `index` of a data set made with `seed`."""
    return _draw(seed, _EPISODE, index, attempt) & ~1


def trial_seed(suite: str, seed: int, index: int) -> int:
    """The scene's seed (odd, 63 bits) for trial `index` of a suite evaluated with `seed`."""
    name = int.from_bytes(hashlib.sha256(suite.encode()).digest()[:4], "big")
    return _draw(seed, _TRIAL, name, index) | 1


def look_seed(seed: int, episode: int) -> int:
    """The seed (even, 63 bits) of what an episode with scene seed `episode` looks like when it is rendered anew."""
    return _draw(seed, _LOOK, episode) & ~1


def foreign_seed(*parts: bytes) -> int:
    """The seed (even, 63 bits) of an episode that no seed made: by what it is, so that no two share one by chance."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return int.from_bytes(digest.digest()[:8], "big") >> 1 & ~1


def sentence_rng(scene_seed: int) -> np.random.Generator:
    """The generator that picks the sentence of an episode; independent of what the scene draws from the same seed."""
    return np.random.default_rng(np.random.SeedSequence(scene_seed, spawn_key=(_SENTENCE,)))


def _draw(seed: int, *spawn_key: int) -> int:
    sequence = np.random.SeedSequence(seed, spawn_key=spawn_key)
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
