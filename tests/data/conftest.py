"""Small data sets that say in every frame and number which t it is."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmil.contracts import Episode, Goal, Spec, Thing
from mmil.data.dataset import FORMAT, INDEX, MANIFEST, Dataset
from mmil.data.sample import encode_episode
from mmil.data.shards import assemble, encode_rows, file_sha256, scan, shard_entry, shard_name, write_atomic

CUBE, BALL = Goal("lift", Thing("cube", "red")), Goal("lift", Thing("ball", "blue"))
SENTENCES = {
    CUBE: ["lift the red cube", "raise the red cube", "pick up the red cube"],
    BALL: ["lift the blue ball", "raise the blue ball"],
}


def small_spec(size: int = 16, signals=None) -> Spec:
    return Spec(
        scene="toy",
        cameras={"front": (size, size, 3), "wrist": (size, size, 3)},
        signals=signals or {"joint_pos": (3,), "wrench": (4, 6), "gripper_pos": ()},
        action=("x", "y", "gripper"),
        control_hz=20.0,
        controller={"name": "none"},
        conventions={"images": "row 0 on top"},
        privileged={"body_poses": (2, 7)},
    )


def counting_episode(number: int, steps: int, *, spec: Spec, frames=None) -> Episode:
    """Frame t is grey 4 t (wrist: 4 t + 100), signals are 100 number + t, labels t / 100 and actions their negative."""
    times = np.arange(steps + 1, dtype=np.float32)
    goal = (CUBE, BALL)[number % 2]
    labels = np.repeat(times[:-1, None] / 100, len(spec.action), axis=1)

    def counted(shape):
        count = (100 * number + times).reshape(-1, *[1] * len(shape))
        return np.broadcast_to(count, (steps + 1, *shape)).astype(np.float32)

    grey = np.zeros((steps + 1, *next(iter(spec.cameras.values()))), np.uint8)
    grey += (4 * times).astype(np.uint8)[:, None, None, None]
    return Episode(
        scene=spec.scene,
        seed=2 * number,
        goal=goal,
        instruction=SENTENCES[goal][0],
        split="train",
        outcome="success",
        things=(CUBE.object, BALL.object),
        draws={},
        measures={"path_speed": 0.1},
        images=frames or {"front": grey, "wrist": grey + 100},
        signals={name: counted(shape) for name, shape in spec.signals.items()},
        privileged={name: counted(shape) for name, shape in spec.privileged.items()},
        states=np.zeros((steps + 1, 5)),
        actions=-labels,
        labels=labels,
        rewards=np.zeros(steps, np.float32),
    )


def write_dataset(out: Path, episodes, *, spec: Spec, episodes_per_shard: int = 4) -> Path:
    """A finished data set of these episodes."""
    out.mkdir(parents=True, exist_ok=True)
    rows, episodes = [], list(episodes)
    for number, start in enumerate(range(0, len(episodes), episodes_per_shard)):
        part = out / "part"
        part.write_bytes(b"".join(encode_episode(e, attempts=1) for e in episodes[start : start + episodes_per_shard]))
        assemble(out / shard_name(number), [part])
        part.unlink()
        rows += scan(out / shard_name(number), first=len(rows))
    write_atomic(out / INDEX, encode_rows(rows))
    shards = [shard_entry(out / name, rows) for name in sorted({row.shard for row in rows})]
    manifest = {
        "format": FORMAT,
        "spec": spec.to_json(),
        "config": {},
        "shards": shards,
        "episodes": len(rows),
        "steps": sum(row.steps for row in rows),
        "failed_attempts": 0,
        "sentences": [{"goal": goal.to_json(), "sentences": said} for goal, said in SENTENCES.items()],
        "index_sha256": file_sha256(out / INDEX),
    }
    write_atomic(out / MANIFEST, json.dumps(manifest).encode())
    return out


@pytest.fixture(scope="session")
def spec() -> Spec:
    return small_spec()


@pytest.fixture(scope="session")
def counting(tmp_path_factory, spec) -> Dataset:
    """12 episodes of 5 … 16 steps in 3 shards; no test may change it."""
    episodes = [counting_episode(number, 5 + number, spec=spec) for number in range(12)]
    return Dataset.open(write_dataset(tmp_path_factory.mktemp("counting"), episodes, spec=spec))


@pytest.fixture
def make_dataset(tmp_path, spec):
    """make_dataset(name, [steps, …]) → path of a data set of its own."""

    def make(name: str, steps, **options) -> Path:
        episodes = [counting_episode(number, count, spec=spec) for number, count in enumerate(steps)]
        return write_dataset(tmp_path / name, episodes, spec=spec, **options)

    return make


def mean_features(camera: str, frames: np.ndarray) -> list[np.ndarray]:
    """Two stages that say which frame they were made from."""
    grey = frames.mean(axis=(1, 2, 3)).astype(np.float16)
    return [
        np.broadcast_to(grey.reshape(-1, 1, 1, 1), (len(frames), *shape)).astype(np.float16)
        for shape in ((5, 4, 4), (7, 2, 2))
    ]


@pytest.fixture(name="mean_features", scope="session")
def _mean_features():
    return mean_features


@pytest.fixture
def make_plane():
    """make_plane(folder) → a data set of two episodes of the plane, with depth and segmentation."""
    from functools import partial

    from tests.plane import Plane, build

    def make(folder: Path) -> Path:
        build(folder, episodes=2, scene=partial(Plane, windy=0, streams=("depth", "segmentation")))
        return folder

    return make
