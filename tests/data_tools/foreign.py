"""Small foreign data sets, written straight from the peers' documented layouts and by nothing of ours.

robomimic: docs/datasets/overview.md and scripts/dataset_states_to_obs.py. LIBERO: scripts/create_dataset.py. LeRobot
v3.0: docs/source/lerobot-dataset-v3.mdx, datasets/dataset_metadata.py, dataset_writer.py and io_utils.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

CONTROLLER = {  # robosuite 1.4, controllers/config/osc_pose.json
    "type": "OSC_POSE",
    "input_max": 1,
    "input_min": -1,
    "output_max": [0.05, 0.05, 0.05, 0.5, 0.5, 0.5],
    "output_min": [-0.05, -0.05, -0.05, -0.5, -0.5, -0.5],
    "kp": 150,
    "control_delta": True,
}


def picture(rng: np.random.Generator, size: int, instant: int) -> np.ndarray:
    """Bright on top, and a spot that moves; smooth enough for a codec."""
    rows, columns = np.mgrid[0:size, 0:size]
    base = np.stack([220 - 120 * rows / size, 90 + 60 * columns / size, 60 + 0 * rows], axis=-1)
    spot = np.exp(-((rows - size / 2) ** 2 + (columns - 4 - 2 * instant) ** 2) / 12)[..., None]
    return (base * (1 - spot) + np.array([20, 30, 200]) * spot + rng.uniform(0, 2)).astype(np.uint8)


def film(rng: np.random.Generator, frames: int, size: int = 32, *, turned: bool = False) -> np.ndarray:
    shown = np.stack([picture(rng, size, i) for i in range(frames)])
    return shown[:, :, ::-1].copy() if turned else shown


def robomimic(path: Path, *, demos: int = 3, rows: int = 6, seed: int = 0, next_obs: bool = True, **env) -> Path:
    """Lift as robomimic's dataset_states_to_obs.py leaves it."""
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        for number in range(demos):
            _demo(data.create_group(f"demo_{number}"), rng, rows + number, next_obs=next_obs)
        kwargs = {
            "control_freq": 20,
            "controller_configs": CONTROLLER,
            "robots": ["Panda"],
            "env_lang": "lift the cube",
        }
        args = {"env_name": "Lift", "type": 1, "env_version": "1.4.1", "env_kwargs": {**kwargs, **env}}
        data.attrs["env_args"] = json.dumps(args, indent=4)
        data.attrs["total"] = sum(rows + number for number in range(demos))
        file["mask/train"] = np.array(["demo_0", "demo_1"], dtype="S")
        file["mask/valid"] = np.array(["demo_2"], dtype="S")
    return path


def _demo(demo: h5py.Group, rng: np.random.Generator, rows: int, *, next_obs: bool) -> None:
    seen = {
        "robot0_joint_pos": rng.uniform(-2, 2, (rows + 1, 7)),
        "robot0_joint_vel": rng.normal(size=(rows + 1, 7)),
        "robot0_eef_pos": rng.uniform(0.5, 1, (rows + 1, 3)),
        "robot0_eef_quat": rng.normal(size=(rows + 1, 4)),
        "robot0_eef_quat_site": rng.uniform(-0.5, 0.5, (rows + 1, 4)),
        "robot0_gripper_qpos": rng.uniform(0, 0.04, (rows + 1, 2)),
        "object": rng.normal(size=(rows + 1, 10)),
        "agentview_image": film(rng, rows + 1),
        "robot0_eye_in_hand_image": film(rng, rows + 1, turned=True),
    }
    for name, array in seen.items():
        demo[f"obs/{name}"] = array[:-1]
        if next_obs:
            demo[f"next_obs/{name}"] = array[1:]
    demo["actions"] = rng.uniform(-1, 1, (rows, 7))
    demo["actions_abs"] = rng.uniform(-3, 3, (rows, 7))
    demo["action_dict/rel_pos"] = rng.uniform(-1, 1, (rows, 3)).astype(np.float32)
    demo["states"] = rng.normal(size=(rows, 32))
    demo["rewards"] = np.append(np.zeros(rows - 1), 1.0)
    demo["dones"] = np.append(np.zeros(rows - 1, np.int64), 1)
    demo.attrs["num_samples"] = rows
    demo.attrs["model_file"] = "<mujoco>" + f"<!-- {rows} -->" * 200 + "</mujoco>"


def libero(path: Path, *, demos: int = 2, rows: int = 6, seed: int = 1, sentence: str = "open the drawer") -> Path:
    """As LIBERO's create_dataset.py leaves it: pictures bottom up, and observations from after the action."""
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        for number in range(demos):
            demo = data.create_group(f"demo_{number}")
            position, turn = rng.uniform(0.5, 1, (rows, 3)), rng.normal(size=(rows, 3))
            observations = {
                "gripper_states": rng.uniform(-0.04, 0.04, (rows, 2)),
                "joint_states": rng.uniform(-2, 2, (rows, 7)),
                "ee_states": np.hstack([position, turn]),
                "ee_pos": position,
                "ee_ori": turn,
                "agentview_rgb": film(rng, rows)[:, ::-1],
                "eye_in_hand_rgb": film(rng, rows, turned=True)[:, ::-1],
            }
            for name, array in observations.items():
                demo[f"obs/{name}"] = array
            states = rng.normal(size=(rows, 20))
            demo["actions"] = rng.uniform(-1, 1, (rows, 7))
            demo["states"], demo["robot_states"] = states, rng.normal(size=(rows, 9))
            demo["rewards"] = demo["dones"] = np.append(np.zeros(rows - 1), 1).astype(np.uint8)
            demo.attrs["num_samples"] = str(rows)
            demo.attrs["model_file"] = "<mujoco>" + "<geom/>" * 500 + "</mujoco>"
            demo.attrs["init_state"] = states[0]
        kwargs = {"control_freq": 20, "controller_configs": CONTROLLER, "robots": ["Panda"]}
        problem = {"problem_name": "libero_tabletop", "domain_name": "robosuite", "language_instruction": sentence}
        data.attrs["env_args"] = json.dumps({"type": 1, "env_name": "Libero_Tabletop", "env_kwargs": kwargs})
        data.attrs["env_name"], data.attrs["problem_info"] = "Libero_Tabletop", json.dumps(problem)
        data.attrs["macros_image_convention"], data.attrs["tag"] = "opengl", "libero-v1"
        data.attrs["bddl_file_content"] = "(define (problem) )" * 40
        data.attrs["num_demos"], data.attrs["total"] = demos, demos * rows
    return path
