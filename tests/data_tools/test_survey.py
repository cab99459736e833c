"""What a card gathers of episodes and sentences is what is in them, in memory that does not grow with their number."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from data_tools.coverage import coverage
from data_tools.ranges import Ranges
from data_tools.survey import Survey, flat_draws
from data_tools.wording import take_apart
from mmil.contracts import Goal, Thing
from mmil.language.bank import Phrases
from mmil.rollout import rollout
from tests.plane import HORIZON, Plane, Reach


def test_twins_and_pictures_that_stand_still_are_found():
    episode = rollout(Plane(windy=0), Reach(), seed=4, horizon=HORIZON)
    other = rollout(Plane(windy=0), Reach(), seed=6, horizon=HORIZON)
    frames = {name: np.repeat(images[:1], len(other.states), axis=0) for name, images in episode.images.items()}
    noise = np.random.default_rng(0).normal(0, 3, frames["top"].shape)
    noisy = {name: np.clip(images + noise, 0, 255).astype(np.uint8) for name, images in frames.items()}
    survey = Survey(Plane.spec, steps=[5] * 4)
    for one in (episode, other, replace(episode, draws={"moved": True}), replace(other, images=noisy)):
        survey.add(one)
    found = {kind.what: (kind.episodes, kind.groups) for kind in survey.twins.result()}
    assert found == {
        "first state": (2, ((0, 2), (1, 3))),
        "draws": (1, ((1, 3),)),
        "actions": (2, ((0, 2), (1, 3))),
        "first pictures (nearly)": (2, ((0, 2, 3),)),
    }
    assert survey.pictures["top"].still == 0
    survey.pictures["top"].add(np.repeat(episode.images["top"][:1], 5, axis=0), chosen=True)
    assert survey.pictures["top"].still == 4


def test_ranges_are_exact_where_it_matters():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1000, 5, 2)).astype(np.float32)
    values[17, 3, 1], values[820, 0, 1], values[20, 0, 0] = 99.0, -70.0, 5.0
    ranges = Ranges(("a", "b"))
    for index, part in enumerate(np.split(values, 10)):
        ranges.add(part, np.ones(len(part), bool), episode=index)
    first, second = ranges.result()
    assert (first.axis, first.high, first.outliers) == ("a", 5.0, ())
    assert second.high == 99.0 and second.low == -70.0 and second.outliers == ((0, 99.0), (8, -70.0))
    assert second.percentiles == pytest.approx(np.percentile(values[..., 1], (1, 50, 99)), abs=1e-6)
    assert Ranges(()).result() == []


def test_memory_stays_flat():
    episode = rollout(Plane(windy=0), Reach(), seed=4, horizon=HORIZON)
    survey = Survey(Plane.spec, steps=[500_000] * 4)
    for _ in range(50):
        survey.add(episode)
    kept = sum(len(part) for part in survey.actions.sample)
    assert kept < 0.1 * 50 * len(episode.actions)
    marks = sum(len(found) for found, _ in survey.twins._marks.values())
    assert marks == 3 * 50 and len(survey.twins._copies) <= 4  # eight bytes each, and pictures of a sample


def test_draws_are_told_by_name_whatever_they_are():
    draws = {
        "cameras": {"front": {"position": [1.0, 2, 3], "quaternion_wxyz": [1, 0, 0, 0], "band": "train"}},
        "light": 0.5,
    }
    names = dict(flat_draws(draws))
    assert names == {"cameras.front.position.x": 1.0, "cameras.front.position.y": 2, "cameras.front.position.z": 3,
                     "cameras.front.band": "train", "light": 0.5}  # fmt: skip
    survey = Survey(Plane.spec, steps=[1])
    survey._add_draws(
        {"objects": [{"thing": 3}, "junk", {"position": [1, 2], "rgb": "red"}], "odd": None, "flag": True}
    )
    assert survey.objects == [(1, 2, None)] and not survey.words


def test_sentences_are_taken_apart():
    goals = [Goal("lift", Thing(shape, colour)) for shape in ("cube", "ball") for colour in ("red", "blue")]
    names = {"cube": ("cube", "block"), "ball": ("ball",)}
    said = [(goal, f"{verb} the {goal.object.colour} {name}, please") for goal in goals for verb in ("take", "fetch")
            for name in names[goal.object.shape] for _ in range(3)]  # fmt: skip
    wording = take_apart(said)
    assert dict(wording.templates) == {"take the {object}, please": 18, "fetch the {object}, please": 18}
    assert dict(wording.names)["cube"] == [("cube", 12), ("block", 12)] and wording.distinct == 12


def test_what_of_the_bank_was_said():
    bank = SimpleNamespace(
        name="small",
        verbs={"lift": Phrases(("lift the {object}", "up with it, the {shape}"), ("hoist the {object}",))},
        colours={"blue": Phrases(("blue", "sky blue"), ("azure",)), "red": Phrases(("red",), ("scarlet",))},
        manners={
            "slowly": Phrases(("slowly: {instruction}", "{instruction}, slowly"), ("{instruction}, unhurriedly",))
        },
        null=("what a day",),
        **{"shapes": {}, "relations": {}, "references": {}},
    )
    blue, red = (Goal("lift", Thing("cube", colour)) for colour in ("blue", "red"))
    said = [(blue, "Lift the sky blue cube")] * 3 + [(blue, "lift the blue cube"), (red, "hoist the scarlet cube"),
            (red, "grab the reddish cube"), (Goal("dance", Thing("cube")), "dance")]  # fmt: skip
    slow = replace(red, manner="slowly")
    said += [(slow, "lift the red cube, slowly"), (slow, "lift the red cube, unhurriedly")]
    rows = {(row.section, row.name): row for row in coverage(said, bank)}
    lift, words = rows["templates", "lift"], rows["colours", "blue"]
    assert (lift.episodes, lift.said, lift.never) == (8, [("lift the {object}", 6)], ["up with it, the {shape}"])
    assert lift.leaked == [("hoist the {object}", 1)] and lift.otherwise == 1 and lift.share == 0.5
    assert words.said == [("sky blue", 3), ("blue", 1)] and not words.leaked and words.held_out == 1
    assert rows["colours", "red"].leaked == [("scarlet", 1)] and rows["colours", "red"].said == [("red", 2)]
    slowly = rows["manners", "slowly"]
    assert slowly.said == [("{instruction}, slowly", 1)] and slowly.leaked == [("{instruction}, unhurriedly", 1)]
    assert set(rows) == {("templates", "lift"), ("manners", "slowly"), ("colours", "blue"), ("colours", "red")}
