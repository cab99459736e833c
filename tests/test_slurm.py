"""A training as a job: what is missing is told, and submitit's own executor on this machine runs it to its end."""

import sys

import pytest
import yaml

from mmil.cli import main
from mmil.run import RunFolder
from mmil.slurm import HERE, Slurm, Training, submit
from tests.tiny import config, data_set


def command(folder, *options):
    (folder / "config.yaml").write_text(yaml.safe_dump({**config(), "accelerator": "cpu", "devices": 1}))
    told = ["--config", folder / "config.yaml", "--data", folder / "data", "--out", folder / "run", *options]
    return [str(part) for part in told]


def test_submitit_that_is_missing_is_told_and_nothing_is_begun(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert main(["train", *command(tmp_path, "--cluster", "slurm", "--slurm.partition", "gpu")]) == 2
    assert "needs submitit, which is not installed: pip install 'mmil[slurm]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_interaction_is_led_by_one_process(tmp_path, capsys):
    rounds = ["--interaction", "mmil.algos.DAgger", "--cluster", "slurm", "--devices", "2"]
    assert main(["train", *command(tmp_path, *rounds)]) == 2
    assert "is led by one process, and a job of 2 devices on 1 nodes" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_job_runs_the_command_here_and_fails_where_it_fails(monkeypatch):
    asked = []
    monkeypatch.setattr("mmil.cli.main", lambda arguments: asked.append(arguments) or 2)
    with pytest.raises(RuntimeError, match="ended with 2"):
        Training(["--out", "run"])()
    assert asked == [["train", "--out", "run", HERE]]


def test_a_job_on_this_machine(tmp_path):
    submitit = pytest.importorskip("submitit")
    data_set(tmp_path / "data", episodes=4)
    options = {"cluster": "local", "slurm": Slurm(minutes=5), "devices": 1, "nodes": 1, "gpus": False}
    job = submit(command(tmp_path), out=tmp_path / "run", **options)
    assert job.result() == "finished", job.stderr()
    assert RunFolder.open(tmp_path / "run").finished
    again = Training(["--out", "run"]).checkpoint()
    assert isinstance(again, submitit.helpers.DelayedSubmission) and again.function.arguments == ["--out", "run"]
