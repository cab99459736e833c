"""Does this machine render, how fast, what is missing, what to type."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mmil.contracts import UserError

PACKAGES = ("torch", "lightning", "transformers", "timm", "robosuite", "mujoco", "numpy", "webdataset", "wandb")
GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    fine: bool
    told: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.fine else 'MISS'}  {self.what:<12}{self.told}"


def doctor(*, picture: Path | None = None) -> list[Finding]:
    """Look at packages, weights, rendering, speed and disk.

    Args:
        picture: where to keep the frames that were rendered
    """
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "packages": _packages,
        "machine": _machine,
        "weights": _weights,
        "rendering": lambda: _rendering(picture),
    }
    return [finding for name, look in looks.items() for finding in _guarded(name, look)]


def _guarded(name: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except UserError as error:
        yield Finding(name, False, str(error))
    except Exception as error:  # a doctor reports what it meets; it does not fall ill itself
        yield Finding(name, False, f"{type(error).__name__}: {error}")


def _packages() -> Iterator[Finding]:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    yield Finding("packages", not missing, ", ".join(found))
    if missing:
        yield Finding("packages", False, f"not installed: {', '.join(missing)}; type: make test")


def _machine() -> Iterator[Finding]:
    import torch

    from mmil.parallel import available_cores

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU (none is needed)"
    free = shutil.disk_usage(Path.cwd()).free / GIGABYTE
    yield Finding("machine", True, f"{available_cores()} cores, {gpu}")
    yield Finding("disk", free > 2, f"{free:.1f} GB free here; the quickstart takes about 2 GB")


def _weights() -> Iterator[Finding]:
    from mmil.encoders.sources import TEXT_PACKAGE, VISION_PACKAGE, package_folder

    for package in (VISION_PACKAGE, TEXT_PACKAGE):
        folder = package_folder(package)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        yield Finding("weights", True, f"{package.replace('_', '-')}, {size:.0f} MB, no network needed")


def _rendering(picture: Path | None) -> Iterator[Finding]:
    from mmil.experts import Lift
    from mmil.scenes import Tabletop

    scene, expert = Tabletop(), Lift()
    try:
        step = scene.reset(0)
        frames = dict(step.observation.images)
        dull = [name for name, frame in frames.items() if frame.std() < 5]
        backend = os.environ.get("MUJOCO_GL", "default")
        yield Finding("rendering", not dull, f"{', '.join(frames)} by {backend}" + (f"; blank: {dull}" if dull else ""))
        begun, steps = time.perf_counter(), 0
        while step.outcome is None:
            step = scene.step(expert.act(step.observation, step.state))
            dict(step.observation.images)
            steps += 1
        rate = steps / (time.perf_counter() - begun)
        yield Finding("speed", rate > 5, f"{rate:.0f} control steps/s with {len(frames)} cameras, one process")
        yield Finding("expert", step.outcome == "success", f"{step.state.goal}: {step.outcome} in {steps} steps")
        if picture is not None:
            _keep(picture, frames)
            yield Finding("picture", True, str(picture))
    finally:
        scene.close()


def _keep(path: Path, frames: dict) -> None:
    import cv2
    import numpy as np

    if not cv2.imwrite(str(path), np.hstack(list(frames.values()))[:, :, ::-1]):
        raise UserError(f"cannot write a picture to {path}; name a .png in a folder that exists")
