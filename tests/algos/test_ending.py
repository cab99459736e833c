"""What train.json says of a run: of its last weights, and of all the sessions it took."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmil.algos import account as account_room
from mmil.algos.account import Account
from mmil.algos.ending import Ending
from mmil.run import RunFolder
from tests.tiny import data_set, run

OPTIONS = ["--validation", "0.4", "--batch_size", "8", "--precision", "32-true"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return data_set(tmp_path_factory.mktemp("ending") / "data", episodes=5)


def told(folder: Path) -> dict:
    return json.loads((folder / "train.json").read_text())


def validated(folder: Path) -> list[float]:
    with (folder / "metrics.csv").open() as file:
        return [float(row["val/loss"]) for row in csv.DictReader(file) if row.get("val/loss")]


@pytest.mark.parametrize(("epochs", "every", "times"), [(1, 5, 1), (3, 2, 2)])
def test_the_last_epoch_validates(data, tmp_path, epochs, every, times):
    out = run(data, tmp_path / "run", *OPTIONS, "--epochs", str(epochs), "--validate_every", str(every))
    assert len(validated(out)) == times
    assert told(out)["val_loss"] == pytest.approx(validated(out)[-1])


def test_a_run_stopped_after_its_last_validation_still_knows_of_it(data, tmp_path, monkeypatch):
    def full(*_, **about):
        raise OSError("the disk is full")

    options = [*OPTIONS, "--epochs", "1", "--validate_every", "5"]
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(RunFolder, "finish", full)
        run(data, tmp_path / "run", *options)
    (loss,) = validated(tmp_path / "run")
    assert told(run(data, tmp_path / "run", *options))["val_loss"] == pytest.approx(loss)


def test_seconds_and_waiting_are_those_of_all_sessions():
    first, second = Ending(), Ending()
    first.load_state_dict({"seconds": 100.0, "val_loss": 0.5})
    second.load_state_dict(first.state_dict())
    assert second.seconds > 100.0 and second.val_loss == 0.5
    account = Account(None)
    account.waited, account.worked = 3.0, 9.0
    again = Account(None)
    again.load_state_dict(account.state_dict())
    assert again.wait == pytest.approx(0.25)


def test_what_a_loader_waited_is_added_to_earlier_sessions(monkeypatch):
    monkeypatch.setattr(account_room, "WindowLoader", SimpleNamespace)
    account = Account(None)
    account.load_state_dict({"waited": 3.0, "worked": 9.0})
    account.on_train_batch_start(SimpleNamespace(train_dataloader=SimpleNamespace(waited=1.0)), None, None, 0)
    assert account.waited == 4.0
