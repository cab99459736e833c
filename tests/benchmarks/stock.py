"""robosuite's PickPlace as robosuite alone runs it, for others to be measured against.

Everything as it comes: its renderer (full meshes, 4× multisampling), its observables, its controller loop; llvmpipe is
free to use every core. `python stock.py cameras|blind` says "ready", waits for a line, and says its steps a second.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 15.0
CAMERAS = {"camera_names": ["agentview", "robot0_eye_in_hand"], "camera_heights": 128, "camera_widths": 128}


def stock_rate(kind: str, *, processes: int = 1) -> float:
    """Control steps a second of all processes together, which begin at one moment."""
    command = [sys.executable, __file__, kind]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    children = [subprocess.Popen(command, **pipes) for _ in range(processes)]
    for child in children:
        assert child.stdout.readline().strip() == "ready"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    return sum(float(child.communicate()[0]) for child in children)


def main(kind: str) -> None:
    os.environ["MUJOCO_GL"] = "egl"
    import numpy as np
    import robosuite

    sees = {"use_camera_obs": True, "has_offscreen_renderer": True, **CAMERAS}
    blind = {"use_camera_obs": False, "has_offscreen_renderer": False}
    options = {"cameras": sees, "blind": blind}[kind]
    stock = robosuite.make(
        "PickPlace", robots="Panda", has_renderer=False, control_freq=20, ignore_done=True, **options
    )
    rng = np.random.default_rng(0)
    stock.reset()
    for _ in range(5):
        observed, *_ = stock.step(np.zeros(7))
    assert kind == "blind" or observed["agentview_image"].std() > 5
    print("ready", flush=True)
    sys.stdin.readline()
    steps, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        stock.step(rng.uniform(-0.3, 0.3, 7))
        steps += 1
    print(steps / (time.perf_counter() - begun))


if __name__ == "__main__":
    sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]
    main(sys.argv[1])
