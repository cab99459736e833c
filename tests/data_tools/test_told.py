"""Sentences that are true in their scene alone: kept apart from those of goals, verified, learnt, counted."""

from collections import Counter
from functools import partial

import pytest

from data_tools.card import sentence_views
from data_tools.convert.conversion import convert
from data_tools.coverage import coverage
from data_tools.inspect import inspect
from data_tools.station import MORE
from data_tools.told import stood
from data_tools.verify import verify
from mmil.contracts import Goal, Thing, UserError
from mmil.data.dataset import Dataset
from mmil.data.module import WindowData
from mmil.data.sentences import OWN, Rephrase, read_sentences
from mmil.language.references import landmarks
from tests.data_tools.test_verify import spoil
from tests.devices import Finger
from tests.plane import Plane, build, copy, files, grammar
from tests.sorting import NODE, Sorting


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Half of the sentences refer, where they may: three cubes of three colours are there."""
    folder = tmp_path_factory.mktemp("data") / "plane"
    build(folder, episodes=16, per_shard=2, references=0.5)
    return folder


def bound(dataset):
    said = read_sentences(dataset.manifest)
    return [row for row in dataset.rows if row.instruction not in said[row.goal]]


def own(row):
    """What is said of it in its scene alone, where its own sentence is no goal's."""
    return {row.instruction, *row.references}


def test_those_of_a_scene_are_no_goals(folder):
    dataset = Dataset.open(folder)
    rows = bound(dataset)
    assert 4 <= len(rows) <= 12 and dataset.manifest["config"]["references"] == 0.5
    for goal, sentences in read_sentences(dataset.manifest).items():
        assert all(grammar().says(sentence, goal, "train") for sentence in sentences)
    for row in rows:
        among = stood(dataset.episode(row.index))
        assert not grammar().says(row.instruction, row.goal, "train")
        assert grammar().says(row.instruction, row.goal, "train", among=among)
        assert landmarks(row.goal.object, among)


def test_a_scene_has_more_of_them_than_were_said(folder):
    dataset = Dataset.open(folder)
    referred = [row for row in dataset.rows if row.references]
    assert len(referred) >= len(bound(dataset)) and all(row.references for row in bound(dataset))
    for row in referred:
        episode = dataset.episode(row.index)
        assert episode.references == row.references and len(set(row.references)) == len(row.references) <= MORE
        assert row.instruction not in row.references
        for sentence in row.references:
            assert not grammar().says(sentence, row.goal, "train")
            assert grammar().says(sentence, row.goal, "train", among=stood(episode))


def test_workers_and_an_option_that_is_nothing_change_no_byte(folder, tmp_path):
    build(tmp_path / "two", episodes=16, per_shard=2, references=0.5, workers=2)
    assert files(tmp_path / "two") == files(folder)
    for name, options in (("with", {"references": 0.0, "config": {"references": 0.0}}), ("without", {})):
        build(tmp_path / name, episodes=2, **options)
    assert files(tmp_path / "with") == files(tmp_path / "without")
    assert "references" not in (tmp_path / "with" / "generation.json").read_text()
    with pytest.raises(UserError, match=r"references is 1\.5; it is a share of the sentences, 0 to 1"):
        build(tmp_path / "more", references=1.5)


def test_they_are_verified_in_their_scene(folder, tmp_path):
    assert verify(folder, scene=Plane, replay=1.0, workers=1) == []
    dataset = Dataset.open(folder)
    other = next(row for row in bound(dataset) if row.goal != dataset.rows[0].goal)
    spoilt = copy(folder, tmp_path / "spoilt")
    spoil(spoilt, lambda episode: {"instruction": other.instruction})
    (line,) = verify(spoilt, workers=1)
    assert "is not among the manifest's sentences" in line and "nor does it refer to it there" in line
    also = copy(folder, tmp_path / "also")
    spoil(also, lambda episode: {"references": (other.instruction,)})
    assert any("is not among the manifest's sentences" in line for line in verify(also, workers=1))
    spoil(spoilt, lambda episode: {"instruction": "lift the solitary cube"})
    assert any("refers to a thing as the held-out 'solitary " in line for line in verify(spoilt, workers=1))


def test_their_own_windows_are_told_them_and_no_others(folder):
    dataset = Dataset.open(folder)
    said, rows = read_sentences(dataset.manifest), bound(dataset)
    draw, told = Rephrase(sentences=said, others=0.2), Counter()
    for row in dataset.rows:
        for t in range(200):
            about = {"things": row.things, "references": row.references, "key": row.key}
            one = draw(row.goal, row.instruction, t=t, epoch=0, **about)
            assert one.sentence in said[one.goal] or one.sentence in own(row)
            told[row in rows, one.sentence in own(row) and one.own] += 1
    assert told[True, True] / (told[True, True] + told[True, False]) == pytest.approx(0.8 * OWN, abs=0.05)
    module = WindowData(path=folder, validation=0.0, workers=0)
    assert set(module.bound) == {sentence for row in rows for sentence in own(row)} | {
        sentence for row in dataset.rows for sentence in row.references
    }
    heard = {sentence for batch in module.train_dataloader() for sentence in batch.instruction}
    assert heard & set(module.bound)


def test_a_reading_lesson_leaves_them_to_the_eye(folder):
    import torch

    from mmil.algos.reading import Reading
    from mmil.encoders import Sentence

    dataset = Dataset.open(folder)
    said = read_sentences(dataset.manifest)
    lesson, tokens = Reading(said, size=4), torch.randn(3, 1, 4)
    three, two = (Sentence(some, some, torch.ones(len(some), 1, dtype=torch.bool)) for some in (tokens, tokens[[0, 2]]))
    named = [sentences[0] for sentences in said.values()][:2]
    (strange, *_) = [row.instruction for row in bound(dataset)]
    both = lesson.loss(three, [named[0], strange, named[1]])
    assert torch.allclose(both, lesson.loss(two, named)) and lesson.loss(three, [strange] * 3) == 0


def test_the_card_counts_them(folder):
    dataset = Dataset.open(folder)
    rows = [row for row in sentence_views(dataset)["coverage"] if row.section == "references"]
    counted = {row.name: row.episodes for row in rows}
    assert "colour" in counted and sum(counted.values()) == len(bound(dataset))
    assert all(not row.leaked and row.otherwise == 0 for row in rows)
    text = inspect(folder).read_text()
    assert "Ways to refer" in text and "{colour} one" in text


def test_a_reference_is_counted_beside_the_relation_it_looks_like():
    goal = Goal("place", Thing("bar", "red"), target=Thing("plate", "blue"), relation="on")
    said = "gently: let the red bar end up on the plate that is next to the can"
    rows = coverage([(goal.done("gently"), said)], grammar())
    assert [(row.name, row.said) for row in rows if row.section == "references"] == [
        ("that_is_next_to", [("{shape} that is next to the {landmark}", 1)])
    ]


def test_a_person_is_asked_in_their_words_too(tmp_path):
    from data_tools.teleop import teleop
    from data_tools.window import NoWindow

    stage = Plane(windy=0.0)
    options = {"scene": lambda: stage, "device": lambda: Finger(stage, ()), "screen": NoWindow, "real_time": False}
    out = tmp_path / "demonstrated"
    teleop(**options, out=out, episodes=3, seed=5, horizon=24, references=1.0)
    dataset = Dataset.open(out)
    assert len(bound(dataset)) == 3 and verify(out, workers=1) == []
    teleop(**options, out=out, episodes=4, seed=5, horizon=24, references=1.0)
    assert len(Dataset.open(out)) == 4
    with pytest.raises(UserError, match=r"references: \(absent\) \(asked\) != 1.0 \(there\)"):
        teleop(**options, out=out, episodes=5, seed=5, horizon=24)


def test_they_come_back_through_another_format_as_they_were(folder, tmp_path):
    convert(source=folder, to="robomimic", out=tmp_path / "there.hdf5")
    convert(source=tmp_path / "there.hdf5", to="mmil", out=tmp_path / "back", episodes_per_shard=2)
    back = Dataset.open(tmp_path / "back")
    assert back.manifest["sentences"] == Dataset.open(folder).manifest["sentences"] and bound(back)


def test_a_data_set_that_shows_what_it_holds_out_is_not_trusted(tmp_path):
    def make(name, held, obeys):
        config = {"scene": {**NODE, "init_args": {"randomisation": {"held_out": held}}}}
        scene = partial(Sorting, randomisation={"held_out": held if obeys else []})
        build(tmp_path / name, scene=scene, episodes=24, per_shard=24, config=config)
        return verify(tmp_path / name, workers=1)

    pair = [{"verb": "lift", "colour": "red"}]
    assert make("obeys", pair, True) == []
    (line,) = make("shows", pair, False)
    assert line.startswith("verb lift, colour red is held out, but ") and line.endswith("episodes show it")
    (line,) = make("strange", [{"verb": "lift", "colour": "mauve"}], True)
    assert line == "colour mauve is never seen in training, though verb lift, colour mauve is held out"
