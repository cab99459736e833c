"""The card of a real, small data set: what it counts is what is there."""

import html
import re

import numpy as np
import pytest

from data_tools.inspect import inspect
from data_tools.survey import Ranges, Survey, flat_draws
from data_tools.wording import take_apart
from mmil.contracts import Goal, Thing, UserError
from mmil.data.dataset import Dataset
from mmil.rollout import rollout
from tests.plane import HORIZON, Plane, Reach, build

HOSTILE = "<script>alert(1)</script> & the {object}"


class Hostile:
    """A speaker that nobody should trust."""

    def sample(self, goal, split, rng):
        return HOSTILE

    def sentences(self, goal, split):
        return (HOSTILE, '<img src="https://example.org/x.png">')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "plane"
    build(path, episodes=9)
    return path


@pytest.fixture(scope="module")
def card(folder):
    return inspect(folder).read_text()


def test_card_is_one_file(card):
    loads = re.findall(r'(?:src|href|poster)="([^"]*)"', card)
    assert loads and all(address.startswith("data:") for address in loads)
    assert not re.search(r"url\(|@import|https?:|<script", card)
    assert card.count("data:video/mp4") == 2 and card.count("data:image/jpeg") == 9 * 2 * 3


def test_card_counts_what_is_there(folder, card):
    dataset = Dataset.open(folder)
    steps = sum(row.steps for row in dataset.rows)
    assert "<b>9</b><span>episodes</span>" in card and f"<b>{steps}</b><span>steps</span>" in card
    assert f"<b>{dataset.manifest['failed_attempts']}</b><span>failed attempts, left out</span>" in card
    assert html.escape(dataset.rows[0].instruction) in card
    low = min(dataset.episode(i).signals["eef_pos_world"][:, 1].min() for i in range(9))
    assert f"{low:.3f}".replace("-", "−") in card
    assert "wrench (force x, force y, force z, torque x, torque y, torque z) never changes" in card


def test_hostile_sentences_stay_text(tmp_path):
    build(tmp_path / "data", episodes=2, grammar=Hostile)
    text = inspect(tmp_path / "data", out=tmp_path / "card.html").read_text()
    assert "<script" not in text and '<img src="https' not in text
    assert html.escape("<script>alert(1)</script> &") in text


def test_what_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a data set"):
        inspect(tmp_path)
    assert not list(tmp_path.iterdir())


def test_duplicates_and_pictures_that_stand_still_are_found():
    episode = rollout(Plane(windy=0), Reach(), seed=4, horizon=HORIZON)
    steps = len(episode.actions)
    survey = Survey(Plane.spec, steps=[steps, steps])
    survey.add(episode)
    assert survey.duplicates == [] and survey.pictures["top"].still == 0
    survey.add(episode)
    assert survey.duplicates == [[episode.key, episode.key]]
    survey.pictures["top"].add(np.repeat(episode.images["top"][:1], 5, axis=0), chosen=True)
    assert survey.pictures["top"].still == 4


def test_ranges_are_exact_where_it_matters():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1000, 5, 2)).astype(np.float32)
    values[17, 3, 1], values[20, 0, 0] = 99.0, np.nan
    ranges = Ranges(("a", "b"))
    for part in np.split(values, 10):
        ranges.add(part, np.ones(len(part), bool))
    first, second = ranges.result()
    assert (first.axis, first.nans, first.far) == ("a", 1, False)
    assert second.high == 99.0 and second.far and second.outliers == 1 and second.nans == 0
    assert second.percentiles == pytest.approx(np.percentile(values[..., 1], (1, 50, 99)), abs=1e-6)


def test_memory_stays_flat():
    episode = rollout(Plane(windy=0), Reach(), seed=4, horizon=HORIZON)
    survey = Survey(Plane.spec, steps=[500_000] * 4)
    for _ in range(50):
        survey.add(episode)
    kept = sum(len(part) for part in survey.actions.sample)
    assert kept < 0.1 * 50 * len(episode.actions)


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
