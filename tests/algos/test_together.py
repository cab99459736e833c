"""Two processes train what one does: the same run by DDP and by FSDP, stopped and gone on with by another number."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import mmil
from mmil.cli import main
from mmil.run import RunFolder
from tests.algos.together import stopped, together
from tests.tiny import config, data_set

ONE, TWO, SHARES = ([], ["--devices", "2", "--strategy", "ddp"], ["--devices", "2", "--strategy", "fsdp"])
CHOICES = {"epochs": 2, "validation": 0.3, "validate_every": 1, "stride": 2, "batch_size": 4, "devices": 1}
CHOICES |= {"precision": "32-true", "accelerator": "cpu", "balance": 0.5, "others": 0.2}
CLOSE = 2e-4  # what rounding becomes in some steps of AdamW at a rate of 1e-3
NAMES = ["ddp", "fsdp", "one-then-two", "two-then-one", "fsdp-then-one"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """All of them: one process here, and two that are given the same commands; whoever is first makes the cache."""
    out = tmp_path_factory.mktemp("together")
    data_set(out / "data", episodes=5)
    told = {**config(hide={"cameras": 0.2, "signals": 0.2}), **CHOICES}
    told["algo"]["init_args"] |= {"matching": 0.1, "average": 0.9}
    (out / "config.yaml").write_text(yaml.safe_dump(told))

    def command(name: str, options: list[str]) -> list[str]:
        fixed = ["--config", out / "config.yaml", "--data", out / "data", "--out", out / name]
        return ["train", *map(str, fixed), *options]

    assert main(command("one", ONE)) == 0 and stopped(command("one-then-two", ONE)) == 0
    (cache,) = out.glob("data.features-*")
    shutil.rmtree(cache)
    both = [command("ddp", TWO), command("fsdp", SHARES), command("one-then-two", TWO)]
    both += [["stopped", *command("two-then-one", TWO)], ["stopped", *command("fsdp-then-one", SHARES)]]
    (out / "said.json").write_text(json.dumps(together(*both, ["spoilt", *command("spoilt", TWO)])))
    for name in ("two-then-one", "fsdp-then-one"):
        assert main(command(name, ONE)) == 0
    return out


def losses(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["val/loss"]) for row in csv.DictReader(file) if row["val/loss"]]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_does_not_depend_on_how_many_processes_it_had(runs, name):
    alone, here = (load_file(runs / run / "model.safetensors") for run in ("one", name))
    assert alone.keys() == here.keys()
    # keys.bias changes all scores alike, so that its gradient is nothing but rounding
    apart = {key: (alone[key] - here[key]).abs().max().item() for key in alone if not key.endswith("keys.bias")}
    worst = max(apart, key=lambda key: apart[key])
    assert apart[worst] < CLOSE, f"{worst} by {apart[worst]}"
    averages = [torch.load(runs / run / "checkpoints" / "last.ckpt", weights_only=True) for run in ("one", name)]
    one, other = (checkpoint["averaged"] for checkpoint in averages)
    assert one.keys() == other.keys() and all(one[key].shape == other[key].shape for key in one)


@pytest.mark.parametrize("name", NAMES)
def test_its_folder_is_whole_and_a_model(runs, name):
    about = json.loads((runs / name / "train.json").read_text())
    assert RunFolder.open(runs / name).finished and about["processes"] == (1 if name.endswith("one") else 2)
    assert {path.name for path in (runs / name).iterdir()} == {path.name for path in (runs / "one").iterdir()}
    assert np.isfinite(losses(runs / name)).all()
    assert losses(runs / name) == pytest.approx(losses(runs / "one"), rel=1e-3)
    assert mmil.load(runs / name).control_hz == 20


def test_only_the_first_process_speaks_and_a_nan_in_the_other_stops_both(runs):
    (code, first), (silent, second) = json.loads((runs / "said.json").read_text())
    assert code == 2 and "error: step 1 (epoch 0): the gradient holds a NaN or an infinity" in first, first
    assert silent == 0 and "error:" not in second and "next:" not in second, second
    assert "next: mmil evaluate" in first and "Epoch 0" in first and "Epoch 0" not in second
    assert "caching features" in first and "statistics" in first and "statistics" not in second
    left = sorted(path.name for path in (runs / "spoilt").glob("not_finite-*"))
    assert left == ["not_finite-00000001-rank0.npz", "not_finite-00000001-rank1.npz"]


def test_windows_that_processes_cannot_share_are_refused_before_anything_is_begun(runs, capsys):
    told = ["--config", runs / "config.yaml", "--data", runs / "data", "--out", runs / "three", "--devices", "3"]
    assert main(["train", *map(str, told)]) == 2
    assert "batch_size is 4 windows, which 3 processes cannot share alike" in capsys.readouterr().err
    assert not (runs / "three").exists()
