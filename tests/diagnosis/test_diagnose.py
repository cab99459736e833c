"""`mmil diagnose`: a policy of the toy beside its expert."""

import json
from pathlib import Path

import pytest

from mmil.contracts import UserError
from mmil.diagnosis.diagnose import diagnose
from mmil.evaluation.report import report
from tests.tiny import data_set, run
from tests.toy import demonstrated, mmil, training


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    data, out = demonstrated(folder / "data"), folder / "run"
    mmil(["train", "--config", json.dumps(training(folder)), f"--data={data}", f"--out={out}"])
    return out


def test_both_walk_the_same_layouts_and_are_compared(trained, capsys):
    mmil(["diagnose", str(trained), "--trials=6"])
    said = capsys.readouterr().out
    assert "its expert 100.0 %" in said and "diagnosis: " in said and "next: mmil report" in said
    told = json.loads((trained / "diagnosis" / "diagnosis.json").read_text())
    assert told["walks"] == 6 and told["expert_successes"] == 6 and told["error"] > told["error_expert"] > 0
    assert told["heard"] >= 0 and told["curves"]["error"]["policy"][0][0] == 5.0
    again = diagnose(trained, trials=6, workers=1, patience=None)
    assert {**json.loads(json.dumps(again)), "command": ""} == {**told, "command": ""}  # chance is the layouts' own
    page = report([trained]).read_text()
    assert "How far it strays" in page and told["causes"][0].partition(":")[0] in page
    for wrong in ({"curves": 3}, {"curves": {"far": {"policy": 5}}}, {"successes": 7}, {"causes": None}, {"suite": 1}):
        (trained / "diagnosis" / "diagnosis.json").write_text(json.dumps({**told, **wrong}))
        assert "is no diagnosis and is left out" in report([trained]).read_text()


def test_a_run_whose_data_name_no_expert_is_refused(tmp_path):
    data = data_set(tmp_path / "data", episodes=2)
    with pytest.raises(UserError, match="by which expert"):
        diagnose(run(data, tmp_path / "run"), trials=2)
