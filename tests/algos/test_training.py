"""`mmil train` on a few small real episodes: it learns, resumes exactly, and refuses what does not fit."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from data_tools.generate import generate
from mmil.algos.training import train
from mmil.config import parse
from mmil.contracts import UserError
from mmil.experts import Lift
from mmil.run import RunFolder, load_policy
from mmil.scenes import Tabletop

CONFIG = {
    "algo": {
        "class_path": "mmil.algos.BC",
        "init_args": {
            "warmup": 5,
            "policy": {
                "class_path": "mmil.policy.Policy",
                "init_args": {
                    "vision": {"class_path": "mmil.encoders.TimmVision", "init_args": {"stages": [2], "width": 32}},
                    "language": {"class_path": "mmil.encoders.TextTokens", "init_args": {"width": 32}},
                    "signals": {"class_path": "mmil.encoders.SignalTokens", "init_args": {"width": 32}},
                    "wrench": {"class_path": "mmil.encoders.WrenchTokens", "init_args": {"width": 32}},
                    "fusion": {"class_path": "mmil.encoders.FilmFusion", "init_args": {"points": 4, "width": 64}},
                    "head": {"class_path": "mmil.heads.Regression", "init_args": {"width": 64}},
                },
            },
        },
    },
    "batch_size": 16,
    "stride": 4,
    "validation": 0.2,
    "validate_every": 1,
    "cache": True,
    "loggers": [],
}


def small_scene() -> Tabletop:
    return Tabletop(image_size=(64, 64))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("data") / "small"
    generate(
        scene=small_scene,
        actor=Lift,
        out=out,
        episodes=6,
        seed=3,
        horizon=100,
        workers=1,
        config={"scene": {"class_path": "mmil.scenes.Tabletop", "init_args": {"image_size": [64, 64]}}},
    )
    return out


def run(data: Path, out: Path, *options: str, change: dict | None = None) -> Path:
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump({**CONFIG, **(change or {})}))
    arguments = ["--config", str(path), "--data", str(data), "--out", str(out), *options]
    parsed = parse(train, arguments, verb="train", skip=("config",))
    return train(**parsed.options, config=parsed.resolved)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """Four epochs without a pause."""
    return run(data, tmp_path_factory.mktemp("runs") / "whole", "--epochs", "4")


def losses(out: Path, name: str) -> dict[int, float]:
    with (out / "metrics.csv").open() as file:
        return {int(row["step"]): float(row[name]) for row in csv.DictReader(file) if row.get(name)}


def test_a_run_is_whole(whole):
    folder = RunFolder.open(whole)
    assert folder.finished and folder.data["episodes"] == 6
    assert yaml.safe_load((whole / "config.yaml").read_text())["batch_size"] == 16
    values = list(losses(whole, "val/loss").values())
    assert len(values) == 4 and values[-1] < values[0]
    policy = load_policy(whole)
    assert not policy.training and policy.spec == folder.spec
    checkpoint = torch.load(whole / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["spec"] == folder.spec.to_json() and checkpoint["stats"] == folder.stats.to_json()
    assert checkpoint["config"] == folder.config


def test_stopped_and_resumed_is_the_same_as_never_stopped(data, whole, tmp_path, monkeypatch):
    out = tmp_path / "stopped"
    from mmil.algos import BC

    original = BC.on_validation_end

    def stop(self) -> None:
        original(self)
        if self.current_epoch == 2:
            raise RuntimeError("the power went")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power"):
        patch.setattr(BC, "on_validation_end", stop)
        run(data, out, "--epochs", "4")
    assert not (out / "model.safetensors").exists()
    with pytest.raises(UserError, match="unfinished"):
        load_policy(out)
    run(data, out, "--epochs", "4")
    there, here = (load_file(folder / "model.safetensors") for folder in (whole, out))
    assert all(torch.equal(there[name], here[name]) for name in there)
    assert losses(out, "val/loss") == losses(whole, "val/loss")


def test_a_finished_run_is_left_as_it_is(data, whole):
    before = (whole / "model.safetensors").stat().st_mtime_ns
    run(data, whole, "--epochs", "4")
    assert (whole / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        (["--epochs", "5"], {}, "was begun with another config: epochs: 5 != 4"),
        ([], {"epoch": 3}, "epoch"),
        (["--batch_size", "many"], {}, "batch_size"),
        (["--precision", "8-bit"], {}, "32-true"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(data, whole, options, change, message):
    with pytest.raises(UserError) as error:
        run(data, whole, *(options or ["--epochs", "4"]), change=change)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_another_folder_is_not_touched(data, tmp_path):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.tex").write_text("precious")
    with pytest.raises(UserError, match="holds something else"):
        run(data, out)
    assert [item.name for item in out.iterdir()] == ["chapter.tex"]


def test_altered_weights_are_refused(whole, tmp_path):
    out = tmp_path / "altered"
    shutil.copytree(whole, out)
    content = (out / "model.safetensors").read_bytes()
    (out / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"model\.safetensors does not fit"):
        load_policy(out)


def test_fine_tuning_from_pictures(data, tmp_path):
    policy = CONFIG["algo"]["init_args"]["policy"]["init_args"]
    vision = {"class_path": "mmil.encoders.TimmVision", "init_args": {"stages": [1], "width": 32, "frozen": False}}
    algo = {
        "class_path": "mmil.algos.BC",
        "init_args": {"policy": {"class_path": "mmil.policy.Policy", "init_args": {**policy, "vision": vision}}},
    }
    augment = [{"class_path": "mmil.data.augment.Shift", "init_args": {"pixels": 4}}]
    out = run(
        data,
        tmp_path / "tuned",
        "--epochs",
        "1",
        change={"algo": algo, "cache": False, "augment": augment, "stride": 12},
    )
    from mmil.encoders.backbone import load_backbone

    tuned, original = load_policy(out).vision.backbone, load_backbone("tf_efficientnet_lite0", None)
    assert not torch.equal(tuned.conv_stem.weight, original.conv_stem.weight)


def test_it_trains_on_the_qualities_asked_for_and_refuses_those_that_are_not_there(data, tmp_path):
    with pytest.raises(UserError, match=r"sloppy.*expert"):
        run(data, tmp_path / "none", "--qualities", "[sloppy]")
    assert not (tmp_path / "none").exists()


def test_what_a_run_reads_and_waits_for_is_told(whole):
    assert 0 <= min(losses(whole, "train/data_wait").values()) <= max(losses(whole, "train/data_wait").values()) < 1
    assert losses(whole, "share/lift") == {0: 1.0} and RunFolder.open(whole).data["shares"] == {"lift": 1.0}
    told, waited = RunFolder.open(whole).lines()
    assert "4 epochs" in told and "loss on held-out episodes" in told and "waited for data" in waited


def test_a_gradient_that_is_not_finite_stops_and_spoils_nothing(data, tmp_path, monkeypatch):
    from mmil.algos import BC

    original, out = BC.training_step, tmp_path / "nan"
    kept = out / "checkpoints" / "last.ckpt"
    before: list[bytes] = []

    def spoilt(self, batch, index):
        loss = original(self, batch, index)
        if self.current_epoch == 1 and index == 0:
            before.append(kept.read_bytes())
            return loss * torch.nan
        return loss

    with monkeypatch.context() as patch, pytest.raises(UserError, match="holds a NaN or an infinity") as error:
        patch.setattr(BC, "training_step", spoilt)
        run(data, out, "--epochs", "3")
    assert "\n" not in str(error.value) and f"{kept} is as it was" in str(error.value)
    assert kept.read_bytes() == before[0] and not (out / "model.safetensors").exists()
    (path,) = out.glob("not_finite-*.npz")
    assert str(path) in str(error.value)
    with np.load(path, allow_pickle=False) as batch:
        assert batch["actions"].shape == (16, 8, 7) and len(batch["instruction"]) == 16
        assert batch["images/front.0"].dtype == np.float16 and batch["signals/joint_pos"].shape == (16, 1, 7)
    run(data, out, "--epochs", "3")  # goes on from there
    assert RunFolder.open(out).finished
