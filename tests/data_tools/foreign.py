"""Small foreign data sets, written straight from the peers' documented layouts and by nothing of ours.

robomimic: docs/datasets/overview.md and scripts/dataset_states_to_obs.py. LIBERO: scripts/create_dataset.py. LeRobot
v3.0: docs/source/lerobot-dataset-v3.mdx, datasets/dataset_metadata.py, dataset_writer.py and io_utils.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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


MOTORS = ["shoulder.pos", "elbow.pos", "wrist.pos", "gripper.pos"]
TOP, SIDE_VIEW = "observation.images.top", "observation.images.side"
LENGTHS = (7, 5, 9)  # rows of the episodes; the first two share their files
TASKS = ("stack the bricks", "sort the screws")


def lerobot(root: Path, *, seed: int = 2, fps: int = 10, size: int = 32) -> Path:
    """A recording of lerobot's: joint angles in degrees, a camera in mp4 and one embedded as PNG."""
    rng = np.random.default_rng(seed)
    films = [film(rng, length, size) for length in LENGTHS]
    stills = [film(rng, length, size, turned=True) for length in LENGTHS]
    states = [rng.uniform(-90, 90, (length, 4)).astype(np.float32) for length in LENGTHS]
    actions = [state + rng.normal(size=state.shape).astype(np.float32) for state in states]
    files = [[0, 1], [2]]
    rows, start = [], 0
    for number, mine in enumerate(files):
        second = 0.0
        for episode in mine:
            length = LENGTHS[episode]
            rows.append(
                {
                    "episode_index": episode,
                    "tasks": [TASKS[episode % 2]],
                    "length": length,
                    "data/chunk_index": 0,
                    "data/file_index": number,
                    "dataset_from_index": start,
                    "dataset_to_index": start + length,
                    f"videos/{TOP}/chunk_index": 0,
                    f"videos/{TOP}/file_index": number,
                    f"videos/{TOP}/from_timestamp": second,
                    f"videos/{TOP}/to_timestamp": second + length / fps,
                    "stats/action/mean": actions[episode].mean(axis=0).tolist(),
                    "meta/episodes/chunk_index": 0,
                    "meta/episodes/file_index": 0,
                }
            )
            start, second = start + length, second + length / fps
        mp4(root / f"videos/{TOP}/chunk-000/file-{number:03d}.mp4", np.concatenate([films[e] for e in mine]), fps)
        first = sum(LENGTHS[: mine[0]])
        table = [_rows(e, first + sum(LENGTHS[mine[0] : e]), fps, states[e], actions[e], stills[e]) for e in mine]
        _parquet(root / f"data/chunk-000/file-{number:03d}.parquet", pa.concat_tables(table))
    _parquet(root / "meta/episodes/chunk-000/file-000.parquet", pa.Table.from_pylist(rows))
    _parquet(root / "meta/tasks.parquet", _tasks())
    write_json(root / "meta/info.json", _info(fps, size))
    write_json(root / "meta/stats.json", {"action": {"min": np.min([a.min(0) for a in actions], axis=0).tolist()}})
    return root


def _rows(episode: int, first: int, fps: int, state, action, still) -> pa.Table:
    count = len(state)
    pictures = [{"bytes": png(one), "path": f"frame-{i:06d}.png"} for i, one in enumerate(still)]
    scalar = {
        "timestamp": (np.arange(count) / fps).astype(np.float32),
        "frame_index": np.arange(count),
        "episode_index": np.full(count, episode),
        "index": np.arange(first, first + count),
        "task_index": np.full(count, episode % 2),
        "phase": np.arange(count) // 3,
    }
    vectors = {"observation.state": state, "action": action}
    lists = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), array.shape[1])
        for name, array in vectors.items()
    }
    image = pa.array(pictures, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    return pa.table({**lists, SIDE_VIEW: image, "remark": [f"row {i}" for i in range(count)], **scalar})


def _tasks() -> pa.Table:
    about = {"index_columns": ["task"], "columns": [], "column_indexes": [], "pandas_version": "2.2.3"}
    table = pa.table({"task_index": [0, 1], "task": list(TASKS)})
    return table.replace_schema_metadata({"pandas": json.dumps(about)})


def _info(fps: int, size: int) -> dict:
    numbers = {name: {"dtype": "int64", "shape": [1], "names": None} for name in ("frame_index", "episode_index")}
    numbers |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in ("index", "task_index", "phase")}
    vector = {"dtype": "float32", "shape": [4], "names": {"motors": MOTORS}}
    names = ["height", "width", "channels"]
    return {
        "codebase_version": "v3.0",
        "robot_type": "so101_follower",
        "total_episodes": len(LENGTHS),
        "total_frames": sum(LENGTHS),
        "total_tasks": 2,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": f"0:{len(LENGTHS)}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": {
            "observation.state": vector,
            "action": vector,
            TOP: {"dtype": "video", "shape": [size, size, 3], "names": names, "info": {"video.fps": fps}},
            SIDE_VIEW: {"dtype": "image", "shape": [3, size, size], "names": ["channels", "height", "width"]},
            "remark": {"dtype": "string", "shape": [1], "names": None},
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
            **numbers,
        },
    }


def mp4(path: Path, frames: np.ndarray, fps: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "10", "g": "2"})
        stream.pix_fmt, stream.height, stream.width = "yuv420p", *frames.shape[1:3]
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def png(frame: np.ndarray) -> bytes:
    return cv2.imencode(".png", frame[..., ::-1])[1].tobytes()


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def _parquet(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
