"""Control steps a second with two 128×128 cameras: all cores of ours against stock robosuite env.step, in one run.

Stock is the same scene as robosuite alone would run it: its own renderer and observables, full meshes,
4× multisampling, its own controller loop, one process with llvmpipe free to use every core.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from mmil.parallel import available_cores, run, simulation_env

STEPS = 60
EPISODES = 8  # a worker


def stock_rate() -> float:
    """Measured in a process of its own, because it must choose its GL settings first."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True, timeout=280)
    return float(done.stdout.strip().splitlines()[-1])


def make_scene() -> object:
    from mmil.experts import Lift
    from mmil.scenes import Tabletop

    scene = Tabletop(horizon=100)
    scene.reset(0)  # compile and cache before the clock runs
    return scene, Lift()


class _Closing(tuple):
    def close(self) -> None:
        self[0].close()


def make() -> _Closing:
    return _Closing(make_scene())


def generate_one(made: tuple, seed: int) -> tuple[float, float, int]:
    """An episode as `mmil generate` makes it: rollout, pictures, checks, JPEG and tar."""
    from data_tools.guard import picture_faults
    from mmil.data.sample import encode_episode
    from mmil.rollout import rollout

    begun = time.time()
    episode = rollout(made[0], made[1], seed=seed, horizon=100, instruction="lift it")
    picture_faults(episode)
    encode_episode(episode, attempts=1)
    return begun, time.time(), len(episode.actions)


def our_rate(workers: int) -> float:
    spans = [
        result
        for _, result in run(
            generate_one, range(2, 2 + 2 * EPISODES * workers, 2), make=make, workers=workers, env=simulation_env()
        )
    ]
    return sum(steps for *_, steps in spans) / (max(end for _, end, _ in spans) - min(begin for begin, *_ in spans))


def test_generation_against_stock(capsys) -> None:
    cores = available_cores()
    rates = {"stock, 1 process": stock_rate(), "ours, 1 worker": our_rate(1), f"ours, {cores} workers": our_rate(cores)}
    with capsys.disabled():
        for name, rate in rates.items():
            sys.stdout.write(f"\n{name:<20}{rate:8.1f} steps/s   {rate / rates['stock, 1 process']:5.1f}x")
        sys.stdout.write(
            f"\n1 -> {cores} workers: efficiency {list(rates.values())[2] / list(rates.values())[1] / cores:.2f}\n"
        )
    assert all(rate > 0 for rate in rates.values())


def _stock_main() -> None:
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parents[2]))
    from robosuite.environments.manipulation.manipulation_env import ManipulationEnv

    import mmil.scenes  # sets MUJOCO_GL
    from mmil.scenes.world import TABLE_TOP, TabletopWorld

    class Stock(TabletopWorld):
        """The same model with everything as robosuite does it."""

        def __init__(self) -> None:
            self._slot_names, self._processors, self._stock_control = ["a", "b", "c"], (), True
            ManipulationEnv.__init__(
                self,
                robots="Panda",
                use_camera_obs=True,
                has_offscreen_renderer=True,
                has_renderer=False,
                renderer="mujoco",
                control_freq=20,
                horizon=1000,
                hard_reset=False,
                camera_names=["agentview", "robot0_eye_in_hand"],
                camera_heights=128,
                camera_widths=128,
            )

        def _setup_observables(self) -> object:
            return ManipulationEnv._setup_observables(self)

    stock, rng = Stock(), np.random.default_rng(0)
    stock.reset()
    for number, slot in enumerate(stock.slots):
        stock.sim.data.set_joint_qpos(slot.joints[0], [0.0, 0.12 * (number - 1), TABLE_TOP[2] + 0.02, 1, 0, 0, 0])
    for _ in range(5):
        stock.step(np.zeros(7))
    begun = time.perf_counter()
    for _ in range(STEPS):
        observed, *_ = stock.step(rng.uniform(-0.3, 0.3, 7))
    seconds = time.perf_counter() - begun
    assert observed["agentview_image"].std() > 5 and mmil.scenes
    sys.stdout.write(f"{STEPS / seconds}\n")


if __name__ == "__main__":
    _stock_main()
