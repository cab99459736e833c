"""Whatever is wrong with what `mmil train` and others are given: one line, an exit code, nothing half-written."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from lightning import Trainer

from mmil.cli import main
from tests.tiny import WIDTH, config, data_set, run

POLICY = "--algo.init_args.policy.init_args."


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return data_set(tmp_path_factory.mktemp("data") / "data", episodes=4)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    return run(data, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def unreached(monkeypatch) -> None:
    """What is wrong is found before anything is trained."""
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: pytest.fail("training began"))


def train(folder: Path, data: Path, *options: str, text: str | None = None, out: Path | None = None, **policy) -> int:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config(**policy)) if text is None else text)
    return main(["train", "--config", str(path), "--data", str(data), "--out", str(out or folder / "out"), *options])


def one_line(capsys, *parts: str) -> str:
    """The only line on stderr that is no progress bar."""
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if "error" in line]
    assert len(lines) == 1 and lines[0].startswith("error: ") and len(lines[0]) < 700, lines
    assert all(part in lines[0] for part in parts), lines[0]
    return lines[0]


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("epochs", "0", "epochs is 0; it must be at least 1"),
        ("epochs", "-1", "epochs is -1; it must be at least 1"),
        ("validate_every", "0", "at least 1"),
        ("batch_size", "0", "batch_size is 0; it must be at least 1"),
        ("gradient_clip", ".nan", "gradient_clip is nan; it must be finite and at least 0"),
        ("seed", "-5", "seed is -5; it must be at least 0 and below 4294967296"),
        ("stride", "0", "stride is 0"),
        ("algo.init_args.learning_rate", "-1", "learning_rate is -1.0; it must be above 0"),
        ("algo.init_args.learning_rate", ".nan", "learning_rate is nan; it must be finite and above 0"),
        ("algo.init_args.learning_rate", "fast", "fast"),
        ("algo.init_args.warmup", "-3", "warmup is -3"),
        ("algo.init_args.average", "1", "average is 1.0; it must be at least 0 and below 1"),
        ("algo.init_args.looking", ".inf", "looking is inf"),
        (f"{POLICY[2:]}past", "0", "past is 0; it must be at least 1"),
        (f"{POLICY[2:]}past", "-1", "past is -1; it must be at least 1"),
        (f"{POLICY[2:]}future", "0", "future is 0; it must be at least 1"),
        (f"{POLICY[2:]}future", "500", "future is 500, but the longest episode has"),
    ],
)
def test_numbers_that_cannot_be(data, tmp_path, capsys, unreached, option, value, told):
    assert train(tmp_path, data, f"--{option}", value) == 2
    one_line(capsys, told)
    assert not (tmp_path / "out").exists()


def part(name: str, **options) -> dict:
    return {"class_path": f"mmil.{name}", "init_args": options}


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"signals": part("encoders.SignalTokens", names=["joint_pos"], **WIDTH)}, "no signal 'joint_pos' in the data"),
        ({"language": part("encoders.TextTokens", layers=[], **WIDTH)}, "layers is empty"),
        ({"language": part("encoders.TextTokens", width=12)}, "differ in `width`: vision 16, language 12"),
        ({"vision": part("encoders.TimmVision", stages=[], **WIDTH)}, "stages is empty"),
        ({"vision": part("encoders.TimmVision", stages=[9], **WIDTH)}, "has no stages [9]"),
        ({"fusion": part("encoders.FilmFusion", points=-1)}, "points is -1; it must be at least 1"),
        ({"fusion": part("encoders.CrossFusion", layers=0)}, "layers is 0; it must be at least 1"),
        ({"fusion": part("encoders.TransformerFusion", inside=10)}, "4 heads of attention do not divide"),
        ({"fusion": part("encoders.FilmFusion", dropout=2.0)}, "dropout is 2.0; it must be at least 0 and below 1"),
        ({"fusion": part("heads.Regression")}, "subclass of <class 'Fusion'>"),
        ({"fusion": part("encoders.MagicFusion")}, "there are mmil.encoders.Context"),
        ({"head": part("heads.Mixture", modes=0)}, "modes is 0; it must be at least 1"),
        ({"head": part("heads.Mixture", scale=0.0)}, "scale is 0.0; it must be above 0"),
        ({"head": part("heads.Flow", depth=0)}, "depth is 0; it must be at least 1"),
        ({"head": part("heads.Regression", magic=1)}, "'magic' is not accepted"),
        ({"head": {"class_path": "subprocess.Popen", "init_args": {"args": ["true"]}}}, "subclass of <class 'Head'>"),
        ({"head": {"class_path": "nowhere.Thing"}}, "No module named 'nowhere'"),
        ({"head": 5}, "but got 5"),
    ],
)
def test_parts_that_cannot_be(data, tmp_path, capsys, unreached, policy, told):
    assert train(tmp_path, data, **policy) == 2
    one_line(capsys, told)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds nothing; it needs options"),
        ("- 1\n- 2\n", "holds list"),
        ("hello\n", "holds str"),
        ("algo: {a: [\n", "is not YAML"),
        ("epochs: 1\nseed: 2\nepochs: 3\n", "line 3: 'epochs' is said a second time"),
        ("algo: {init_args: {a: 1, a: 2}}\n", "'a' is said a second time"),
        ("algo: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("epoch: 3\n", "epoch"),
        ("\x00\x01", "is not YAML"),
    ],
)
def test_files_that_are_no_config(data, tmp_path, capsys, text, told):
    assert train(tmp_path, data, text=text) == 2
    one_line(capsys, told)
    assert not (tmp_path / "out").exists()


def command(tmp_path: Path) -> dict:
    return {"class_path": "os.system", "init_args": {"command": f"touch {tmp_path / 'ran'}"}}


def test_a_function_is_no_part_and_is_not_called(data, finished, tmp_path, capsys):
    """Neither of one's own config nor of a run from elsewhere."""
    assert train(tmp_path, data, head=command(tmp_path)) == 2
    one_line(capsys, "os.system is no class")
    there = shutil.copytree(finished, tmp_path / "run")
    told = yaml.safe_load((there / "config.yaml").read_text())
    told["algo"]["init_args"]["policy"]["init_args"]["head"] = command(tmp_path)
    (there / "config.yaml").write_text(yaml.safe_dump(told))
    assert main(["serve", str(there), "--port", "0"]) == 2
    one_line(capsys, "os.system is no class")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("place", ["missing", "file", "empty", "half", "cut", "no camera"])
def test_data_that_are_none(data, tmp_path, capsys, unreached, place):
    there = tmp_path / "there"
    if place == "file":
        there.write_text("x")
    elif place == "empty":
        there.mkdir()
    elif place != "missing":
        shutil.copytree(data, there)
    if place == "half":
        (there / "manifest.json").write_text('{"format": ')
    if place == "cut":
        shard = sorted(there.glob("*.tar"))[0]
        shard.write_bytes(shard.read_bytes()[:-5000])
    if place == "no camera":
        manifest = json.loads((there / "manifest.json").read_text())
        manifest["spec"]["cameras"] = {}
        (there / "manifest.json").write_text(json.dumps(manifest))
    assert train(tmp_path, there) == 2
    one_line(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["under a file", "somebody's", "a file"])
def test_places_that_no_run_can_be_written_to(data, tmp_path, capsys, unreached, place):
    own = tmp_path / "own"
    if place == "somebody's":
        own.mkdir()
        (own / "thesis.tex").write_text("precious")
    else:
        own.write_text("precious")
    assert train(tmp_path, data, out=own / "run" if place == "under a file" else own) == 2
    one_line(capsys, str(own))
    assert [path.read_text() for path in ([own] if own.is_file() else own.iterdir())] == ["precious"]


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "weights cut": ("model.safetensors", lambda old: old[: len(old) // 2]),
    "weights empty": ("model.safetensors", lambda old: b""),
    "config no yaml": ("config.yaml", lambda old: b"algo: {a: ["),
    "config empty": ("config.yaml", lambda old: b""),
    "config bytes": ("config.yaml", lambda old: bytes(range(256))),
    "config of nothing": ("config.yaml", lambda old: b"epochs: 1\n"),
    "data cut": ("data.json", lambda old: old[:20]),
    "data a list": ("data.json", lambda old: b"[]"),
    "spec cut": ("spec.json", lambda old: old[:20]),
    "spec null": ("spec.json", lambda old: b"null"),
    "spec odd": ("spec.json", lambda old: json.dumps({**json.loads(old), "cameras": 3}).encode()),
    "stats cut": ("stats.json", lambda old: old[:20]),
    "stats odd": ("stats.json", lambda old: b'{"signals": 3}'),
    "stats of nothing": ("stats.json", lambda old: json.dumps({**json.loads(old), "signals": {}}).encode()),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_run_is_not_begun_with(data, finished, tmp_path, capsys, unreached, how):
    name, spoil = DAMAGE[how]
    there = shutil.copytree(finished, tmp_path / "run")
    (there / name).write_bytes(spoil((there / name).read_bytes()))
    if name != "data.json":  # of which serve reads nothing
        assert main(["serve", str(there), "--port", "0"]) == 2
        one_line(capsys, str(there))
    assert train(tmp_path, data, "--start", str(there), "--epochs", "2") == 2
    one_line(capsys, str(there))
    assert not (tmp_path / "out").exists()


class Command:
    """What a pickle runs when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["cut", "empty", "a command"])
def test_a_damaged_checkpoint_is_not_gone_on_from(data, finished, tmp_path, capsys, unreached, how):
    there = shutil.copytree(finished, tmp_path / "run")
    for name in ("model.safetensors", "train.json"):
        (there / name).unlink()
    kept = there / "checkpoints" / "last.ckpt"
    if how == "a command":
        torch.save({"a": Command(tmp_path / "ran")}, kept)
    else:
        kept.write_bytes(kept.read_bytes()[: 20_000 if how == "cut" else 0])
    before = kept.read_bytes()
    assert train(tmp_path, data, out=there) == 2
    one_line(capsys, str(kept), "is damaged", "delete it")
    assert kept.read_bytes() == before and not (tmp_path / "ran").exists()


def test_a_disk_that_is_full_is_told_and_the_last_checkpoint_kept(data, tmp_path, capsys, monkeypatch):
    out, save = tmp_path / "out", Trainer.save_checkpoint

    def full(self: Trainer, path: str, *rest, **options) -> None:
        if self.current_epoch:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        save(self, path, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save_checkpoint", full)
        assert train(tmp_path, data, "--epochs", "2") == 2
    one_line(capsys, "No space left on device", "last.ckpt")
    assert (out / "checkpoints" / "last.ckpt").is_file() and not (out / "model.safetensors").exists()
    assert train(tmp_path, data, "--epochs", "2") == 0
    assert (out / "model.safetensors").is_file()
