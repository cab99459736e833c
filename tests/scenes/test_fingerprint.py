"""One model, one hash: whoever compiles it, wherever its files lie; another model, another one."""

import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest

from mmil.scenes.fingerprint import model_sha256

ROOT = Path(__file__).parents[2]
CORNERS = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
FACES = [(1, 3, 2), (1, 2, 4), (1, 4, 3), (2, 3, 4)]
XML = """
<mujoco>
  <option timestep="{timestep}"/>
  <asset><mesh name="part" file="{file}" scale="{scale} {scale} {scale}"/></asset>
  <worldbody>
    <body name="{name}"><freejoint/><geom type="mesh" mesh="part" rgba="{rgba}" density="{density}"/></body>
  </worldbody>
</mujoco>
"""
PLAIN = {"timestep": 0.002, "scale": 0.1, "rgba": "1 0 0 1", "density": 400, "name": "thing"}


def compiled(folder, **changes):
    return mujoco.MjModel.from_xml_path(str(written(folder, **changes)))


def written(folder, **changes):
    folder.mkdir(exist_ok=True)
    lines = [f"v {x} {y} {z}" for x, y, z in CORNERS] + [f"f {a} {b} {c}" for a, b, c in FACES]
    (folder / "part.obj").write_text("\n".join(lines))
    (folder / "model.xml").write_text(XML.format(**{**PLAIN, **changes}, file=folder / "part.obj"))
    return folder / "model.xml"


def test_another_process_and_another_place_change_nothing(tmp_path):
    here = model_sha256(compiled(tmp_path / "here"))
    there = written(tmp_path / "a-far-longer-name")
    code = (
        f"import mujoco; from mmil.scenes.fingerprint import model_sha256\n"
        f"print(model_sha256(mujoco.MjModel.from_xml_path({str(there)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == here and len(here) == 64


@pytest.mark.parametrize(
    "change", [{"timestep": 0.001}, {"scale": 0.11}, {"rgba": "1 0 0.1 1"}, {"density": 401}, {"name": "other"}]
)
def test_any_difference_shows(tmp_path, change):
    assert model_sha256(compiled(tmp_path, **change)) != model_sha256(compiled(tmp_path))


def test_the_last_bits_of_arithmetic_do_not(tmp_path):
    model, nudged = compiled(tmp_path), compiled(tmp_path)
    nudged.body_inertia[:] = np.nextafter(nudged.body_inertia, 1)
    nudged.body_pos[0] = -0.0
    assert model_sha256(model) == model_sha256(nudged)


def test_every_episode_says_what_made_it(scene):
    provenance = scene.spec.provenance
    assert {"mmil", "mujoco", "robosuite", "numpy", "model", "controller"} <= set(provenance)
    assert len(provenance["model"]) == len(provenance["controller"]) == 64
