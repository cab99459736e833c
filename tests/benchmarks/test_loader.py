"""How fast windows come: `python tests/benchmarks/loader.py [DIR]`. Ratios are of one run, on one machine.

Without DIR it makes its own data: 48 episodes of 37 steps, two 128×128 cameras, frames as smooth as renders.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from mmil.data.cache import write_features
from mmil.data.dataset import Dataset
from mmil.data.members import read_samples
from mmil.data.module import WindowData
from mmil.data.windows import decode_image

STAGES = ((40, 16, 16), (112, 8, 8))  # of a small EfficientNet at 128×128
SIZE = 128
STEPS, EPISODES = 37, 48
SIGNALS = {"joint_pos": (7,), "joint_vel": (7,), "joint_torque": (7,), "eef_pos_world": (3,), "wrench": (25, 6)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, help="a finished data set")
    parser.add_argument("--epochs", type=int, default=4, help="for the growth of memory")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        path = options.data or make_data(Path(scratch) / "data")
        write_features(path, Path(scratch) / "features", pretend_features, fingerprint={"encoder": "pretended"})
        images(path)
        cached(path, Path(scratch) / "features")
        memory(path, Path(scratch) / "features", epochs=options.epochs)


def images(path: Path) -> None:
    """Windows of one worker against its JPEGs alone; alternately, the best of each, since the machine is shared."""
    frames = some_frames(path)
    loader = WindowData(path=path, workers=1, validation=0).train_dataloader()
    pairs = [(decode_rate(frames), rate(loader)) for _ in range(4)]
    alone, windows = max(pair[0] for pair in pairs) / 2, max(pair[1] for pair in pairs)
    print(f"JPEGs alone, two a window   {alone:8.0f} windows/s")
    print(f"windows, one worker         {windows:8.0f} windows/s   ratio {windows / alone:.2f} (bar 0.6)")


def cached(path: Path, features: Path) -> None:
    for workers in (0, 1, 2):
        loader = WindowData(path=path, cache=features, workers=workers, validation=0).train_dataloader()
        best = max(rate(loader) for _ in range(4))
        print(f"cached windows, {workers} workers   {best:8.0f} windows/s   (bar 3000)")


def memory(path: Path, features: Path, *, epochs: int) -> None:
    """Growth of this process, which reads by itself, after the first epoch."""
    for name, cache in (("images", None), ("cached", features)):
        loader = WindowData(path=path, cache=cache, workers=0, validation=0, shuffle_buffer=500).train_dataloader()
        sizes = []
        for _ in range(epochs):
            for _ in loader:
                pass
            sizes.append(resident())
        print(f"memory, {name}: {sizes[0]:.0f} MB after epoch 1, then {np.diff(sizes).round(1).tolist()} MB an epoch")


def rate(loader) -> float:
    """Windows a second over a whole epoch, from opening the shards on; its first epoch starts the workers as well."""
    start = time.perf_counter()
    count = sum(len(batch.valid) for batch in loader)
    return count / (time.perf_counter() - start)


def decode_rate(frames: list[bytes]) -> float:
    start = time.perf_counter()
    for data in frames:
        decode_image(data, (SIZE, SIZE, 3))
    return len(frames) / (time.perf_counter() - start)


def some_frames(path: Path) -> list[bytes]:
    samples = read_samples(path, Dataset.open(path).rows[:32])
    return [data for _, sample in samples for suffix, data in sample.items() if suffix.endswith(".jpg")]


def resident() -> float:
    """[MB]"""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def pretend_features(camera: str, frames: np.ndarray) -> list[np.ndarray]:
    rng = np.random.default_rng(len(frames))
    return [rng.random((len(frames), *shape), np.float32).astype(np.float16) for shape in STAGES]


def make_data(out: Path) -> Path:
    tests = importlib.util.spec_from_file_location("fixtures", Path(__file__).parents[1] / "data" / "conftest.py")
    fixtures = importlib.util.module_from_spec(tests)
    tests.loader.exec_module(fixtures)
    spec = fixtures.small_spec(SIZE, signals=SIGNALS)
    episodes = (
        fixtures.counting_episode(n, STEPS, spec=spec, frames={"front": scene(n, 0), "wrist": scene(n, 1)})
        for n in range(EPISODES)
    )
    return fixtures.write_dataset(out, episodes, spec=spec, episodes_per_shard=8)


def scene(seed: int, camera: int) -> np.ndarray:
    """(T+1, h, w, 3): lit table, blocks and a moving arm, about 6 KiB a frame as renders have."""
    rng = np.random.default_rng([seed, camera])
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) / SIZE
    table = np.stack([120 + 80 * y, 110 + 60 * x, 100 + 40 * np.sin(9 * x) * np.sin(7 * y)], axis=-1)
    table += cv2.GaussianBlur(rng.normal(0, 14, table.shape), (0, 0), 1.2)  # the grain of wood
    colours, frames = rng.integers(0, 255, (6, 3)).tolist(), []
    for t in range(STEPS + 1):
        frame = table.clip(0, 255).astype(np.uint8)
        for block, colour in enumerate(colours):
            corner = (14 * block + 10, 30 + 11 * block)
            cv2.rectangle(frame, corner, (corner[0] + 14, corner[1] + 16), colour, -1, cv2.LINE_AA)
        cv2.line(frame, (64, 0), (20 + 2 * t, 70), (230, 230, 230), 11, cv2.LINE_AA)
        frames.append(frame)
    return np.stack(frames)


def test_loader() -> None:
    """In a process of its own, whose memory is then the loader's; it prints the ratios."""
    subprocess.run([sys.executable, __file__], check=True, timeout=280)


if __name__ == "__main__":
    main()
