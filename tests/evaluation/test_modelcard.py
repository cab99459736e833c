"""RUN/README.md: written from the run's files, kept where a person wrote in it, deaf to what hostile files say."""

from __future__ import annotations

import json
import os

import pytest

from mmil.evaluation.modelcard import YOURS, write_model_card
from tests.evaluation.test_report import HOSTILE, trials, write_run, write_suite

RESULT = "| seen | 20 | 95.0 % | 76.4–99.1 % | 5.0 % |"


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "quick", {"seen": 19})


def test_it_says_what_goes_in_what_comes_out_and_how_well_it_does(run):
    spec = json.loads((run / "spec.json").read_text())
    spec |= {"signals": {"joint_pos": [7], "odd": []}, "action": ["dx", "gripper"]}
    spec["conventions"] = {"action": "metres, in [-1, 1]", "image": "RGB, row 0 on top"}
    (run / "spec.json").write_text(json.dumps(spec))
    card = write_model_card(run).read_text()
    for part in (
        "# quick",
        "| images\\['front'\\] | uint8 16×16×3 | RGB, row 0 on top |",
        "| signals\\['joint_pos'\\] | float32 7 | rad |",
        "| signals\\['odd'\\] | float32 () | as in the data set |",
        "float32 (2,): dx, gripper, each in",
        "20 actions a second [Hz]",
        RESULT,
        "mmil.load('quick')",
        "Apache-2.0",
    ):
        assert part in card, part


def test_a_suite_more_is_a_row_more_and_what_a_person_wrote_stays(run):
    card = write_model_card(run)
    card.write_text(card.read_text() + "\nMine: do not touch.\n")
    write_suite(run, trials("camera", 10))
    first, _, below = write_model_card(run).read_text().partition(YOURS)
    assert RESULT in first and "| camera | 20 | 50.0 % |" in first and below.strip() == "Mine: do not touch."
    again = card.read_text()
    assert write_model_card(run).read_text() == again


def test_a_readme_of_ones_own_an_unfinished_run_and_no_run_are_left_as_they_are(run, tmp_path):
    (run / "README.md").write_text("my notes")
    assert write_model_card(run) is None and (run / "README.md").read_text() == "my notes"
    unfinished = write_run(tmp_path / "unfinished", {})
    (unfinished / "train.json").unlink()
    (tmp_path / "empty").mkdir()
    for folder in (unfinished, tmp_path / "empty", tmp_path / "nothing"):
        assert write_model_card(folder) is None
    assert os.listdir(tmp_path / "empty") == []


def test_what_files_say_becomes_neither_markup_nor_cells(run):
    data = json.loads((run / "data.json").read_text())
    data |= {
        "path": f"x/{HOSTILE}",
        "goals": {HOSTILE + '"); evil("': 1},
        "skills": {"a | b\n# Title": 2},
        "episodes": HOSTILE,
    }
    (run / "data.json").write_text(json.dumps(data))
    card = write_model_card(run).read_text()
    assert "\n# Title" not in card and "<script>" not in card.replace("\\<script\\>", "") and "a \\| b # Title" in card
    assert 'evil("' not in card
