"""Unless told, a suite has enough trials for each verb, and a trial half as long again as its scene."""

import pytest

from mmil.evaluation.extent import usual_horizon, usual_trials


def tabletop(**options):
    return {"class_path": "mmil.scenes.Tabletop", "init_args": options}


@pytest.mark.parametrize(("skills", "expected"), [(None, 100), (2, 100), (12, 240)])
def test_every_verb_has_its_trials(skills, expected):
    assert usual_trials(tabletop(skills=skills and ["mmil.scenes.skills.Lift"] * skills)) == expected


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        (tabletop(horizon=100), 150),
        (tabletop(horizon=200), 300),
        (tabletop(horizon=60), 120),
        ({"class_path": "mmil.scenes.classic.Stack"}, 300),
        ({"class_path": "mmil.scenes.classic.Stack", "init_args": {"horizon": 300}}, 450),
    ],
)
def test_a_trial_is_half_as_long_again_as_its_scene(scene, expected):
    assert usual_horizon(scene) == expected
