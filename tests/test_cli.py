"""The command line as a person meets it: help at once, one-line errors, nothing half-written."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from mmil import commands, config
from mmil.cli import VERBS
from mmil.contracts import UserError

ROOT = Path(__file__).parents[1]


def mmil(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "mmil.cli", *arguments], capture_output=True, text=True, timeout=timeout, cwd=ROOT
    )


def test_help_is_quick_and_names_every_verb():
    best = min(_timed() for _ in range(3))
    assert best < 0.5, f"{best:.2f} s"
    assert all(verb in mmil("--help").stdout for verb in VERBS)


def _timed() -> float:
    begun = time.perf_counter()
    assert mmil("--help").returncode == 0
    return time.perf_counter() - begun


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    done = mmil(verb, "--help")
    assert done.returncode == 0 and f"mmil {verb}" in done.stdout


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_option_says_what_it_means(verb, monkeypatch):
    def stop(function, arguments, *, positional=(), skip=(), **_):
        parser = config._parser(function, verb=verb, positional=positional, skip=skip)
        silent = [one.option_strings[0] for one in parser._actions if one.option_strings and not one.help]
        raise UserError(f"without a meaning: {silent}")

    monkeypatch.setattr(commands, "parse", stop)
    with pytest.raises(UserError, match=r"without a meaning: \[\]"):
        getattr(commands, verb)([])


def test_who_stops_reading_ends_it_quietly():
    for command in ("instructions | head -1", "train --help | head -1", "--help | true"):
        line = f"set -o pipefail; {sys.executable} -m mmil.cli {command}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120, cwd=ROOT)
        assert done.stderr == "" and done.returncode in (0, 141), (command, done)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["fly"], ["no verb 'fly'", "generate"]),
        (["generate", "--config", "configs/generate/none.yaml", "--out", "{tmp}/new"], ["none.yaml"]),
        (
            ["generate", "--config", "configs/generate/quickstart.yaml", "--out", "{tmp}/new", "--episode", "3"],
            ["episode"],
        ),
        (
            ["generate", "--config", "configs/generate/quickstart.yaml", "--out", "{tmp}/new", "--episodes", "few"],
            ["episodes", "few"],
        ),
        (["generate", "--config", "{tmp}/scene.yaml", "--out", "{tmp}/new"], ["mmil.scenes.Table"]),
        (["generate", "--config", "{tmp}/option.yaml", "--out", "{tmp}/new"], ["thing"]),
        (
            ["generate", "--config", "{tmp}/camera.yaml", "--out", "{tmp}/new", "--workers", "1"],
            ["no camera 'ceiling'; there are front, wrist"],
        ),
        (["verify", "{tmp}/nothing"], ["nothing"]),
        (["inspect", "{tmp}/nothing"], ["nothing"]),
        (["render", "{tmp}/nothing", "--out", "{tmp}/new"], ["nothing"]),
        (["render", "{tmp}/nothing"], ["--out DIR", "--film FILE.mp4"]),
        (
            ["train", "--config", "configs/train/quickstart.yaml", "--data", "{tmp}/nothing", "--out", "{tmp}/new"],
            ["nothing"],
        ),
        (["evaluate", "{tmp}/nothing"], ["is not a run"]),
        (["report", "{tmp}/nothing"], ["nothing"]),
        (["instructions", "--split", "test"], ["train", "held_out"]),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(arguments, parts, tmp_path):
    base = yaml.safe_load((ROOT / "configs/generate/quickstart.yaml").read_text())
    for name, node in {
        "scene": {"class_path": "mmil.scenes.Table"},
        "option": {"class_path": "mmil.scenes.Tabletop", "init_args": {"thing": 3}},
        "camera": {"class_path": "mmil.scenes.Tabletop", "init_args": {"cameras": ["ceiling"]}},
    }.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**base, "scene": node}))
    done = mmil(*[argument.format(tmp=tmp_path) for argument in arguments])
    told = done.stderr.strip().splitlines()
    assert done.returncode != 0
    assert all(part in done.stderr for part in parts), done.stderr
    assert "Traceback" not in done.stderr and len([line for line in told if line.startswith("error")]) <= 1
    assert len(told[-1]) < 700
    left = [path for path in (tmp_path / "new").rglob("*") if path.is_file()] if (tmp_path / "new").exists() else []
    assert not [path for path in left if path.suffix in (".tar", ".part", ".safetensors")]


def test_instructions_lists_rows_of_both_splits():
    rows = json.loads(mmil("instructions", "--json").stdout)
    assert {row["split"] for row in rows} == {"train", "held_out"} and set(rows[0]) == {
        "goal",
        "verb",
        "split",
        "sentence",
    }
    heading, *lines = mmil("instructions", "--split", "held_out").stdout.splitlines()
    assert heading.split("\t") == ["goal", "verb", "split", "sentence"]
    assert {line.split("\t")[2] for line in lines} == {"held_out"}


def test_doctor_finds_this_machine_well(tmp_path):
    done = mmil("doctor", "--picture", str(tmp_path / "frames.png"))
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "frames.png").stat().st_size > 1000
    assert "control steps/s" in done.stdout and "next: make quickstart" in done.stdout


def test_no_egl_is_told_with_what_to_type(tmp_path):
    """A machine whose GL cannot be loaded: MUJOCO_GL names a backend that is not there."""
    code = (
        "import os; os.environ['MUJOCO_GL'] = 'glfw'; os.environ.pop('DISPLAY', None)\n"
        "from mmil.contracts import UserError\n"
        "from mmil.scenes import Tabletop\n"
        "try:\n    Tabletop()\nexcept UserError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, cwd=ROOT)
    assert "apt-get install" in done.stdout, done.stdout + done.stderr
