"""Windows say the right t, from images, whatever K, H, stride and target are."""

import numpy as np
import pytest

from mmil.contracts import Goal, Thing, UserError
from mmil.data.members import read_samples
from mmil.data.sentences import Rephrase, drawn, number, read_sentences
from mmil.data.windows import Cut, collate, cut_windows, decode_image


def windows_of(dataset, index, **cut):
    ((row, sample),) = read_samples(dataset.path, [dataset.rows[index]])
    return list(cut_windows(row, sample, cut=Cut(**cut), spec=dataset.spec))


def test_samples_hold_what_the_dataset_says(counting):
    for row, sample in read_samples(counting.path, counting.rows):
        assert sample == counting.sample(row.index)


def test_a_window_holds_k_past_and_h_future(counting):
    windows = windows_of(counting, 2, past=3, future=4)  # 7 actions
    assert [window.t for window in windows] == list(range(7))
    batch = collate(windows, spec=counting.spec)
    times = [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]
    assert (batch.signals["joint_pos"][:, :, 0] - 200).tolist() == times
    assert batch.signals["wrench"].shape == (7, 3, 4, 6) and batch.signals["gripper_pos"].shape == (7, 3)
    grey = batch.images["front"].float().mean(dim=(2, 3, 4)) / 4
    np.testing.assert_allclose(grey, times, atol=0.26)  # JPEG
    assert batch.images["wrist"].shape == (7, 3, 3, 16, 16)
    assert (batch.images["wrist"].float().mean(dim=(2, 3, 4)) - 100 - 4 * grey).abs().max() <= 2


def test_a_window_may_hold_the_first_observation_before_the_past(counting):
    windows = windows_of(counting, 2, past=2, first=True)  # 7 actions
    batch = collate(windows, spec=counting.spec)
    times = [[0, 0, 0], [0, 0, 1], [0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5], [0, 5, 6]]
    assert (batch.signals["joint_pos"][:, :, 0] - 200).tolist() == times
    np.testing.assert_allclose(batch.images["front"].float().mean(dim=(2, 3, 4)) / 4, times, atol=0.26)  # JPEG


def test_the_future_is_padded_with_the_last_action_and_marked(counting):
    batch = collate(windows_of(counting, 0, future=3), spec=counting.spec)  # 5 actions
    wanted = [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 4], [4, 4, 4]]
    np.testing.assert_allclose(batch.actions[:, :, 0] * 100, wanted, atol=1e-5)
    assert batch.valid.tolist() == [[True] * 3] * 3 + [[True, True, False], [True, False, False]]


def test_target_and_stride(counting):
    windows = windows_of(counting, 4, stride=4, future=1, target="actions")  # 9 actions
    assert [window.t for window in windows] == [0, 4, 8] == list(Cut(stride=4).times(counting.rows[4]))
    np.testing.assert_allclose([window.actions[0, 0] for window in windows], [0, -0.04, -0.08])


@pytest.mark.parametrize("wrong", [{"past": 0}, {"future": 0}, {"stride": 0}, {"target": "rewards"}])
def test_impossible_cuts_are_refused(wrong):
    with pytest.raises(UserError, match=str(next(iter(wrong.values())))):
        Cut(**wrong)


def test_damage_is_named(counting, make_dataset):
    with pytest.raises(UserError, match="not an image"):
        decode_image(b"\xff\xd8 nothing", (16, 16, 3))
    with pytest.raises(UserError, match="16, 16, 3"):
        decode_image(counting.sample(0)["front.0000.jpg"], (32, 32, 3))
    path = make_dataset("cut short", [6])
    dataset = type(counting).open(path)
    shard = dataset.shard_paths[0]
    shard.write_bytes(shard.read_bytes()[:9000])
    with pytest.raises(UserError, match="truncated"):
        list(read_samples(path, dataset.rows))
    shard.write_bytes(b"x" * 20000)
    with pytest.raises(UserError, match="altered"):
        list(read_samples(path, dataset.rows))


def test_sentences_are_redrawn_within_their_goal(counting):
    sentences = read_sentences(counting.manifest)
    row, draw = counting.rows[0], Rephrase(sentences=sentences, seed=3)

    def told(draw, epochs=2):
        options = {"things": row.things, "key": row.key}
        return [draw(row.goal, row.instruction, **options, t=t, epoch=e) for t in range(40) for e in range(epochs)]

    drawn = told(draw)
    assert {one.sentence for one in drawn} == set(sentences[row.goal])
    assert all(one.own and one.goal == row.goal for one in drawn)
    assert drawn[::2] != drawn[1::2]  # epochs differ
    assert drawn == told(draw)
    assert {one.sentence for one in told(Rephrase(sentences={}))} == {row.instruction}
    assert number("a", 1) != number("a", 2)


def test_some_windows_are_told_another_thing_and_say_so(counting):
    sentences, row = read_sentences(counting.manifest), counting.rows[0]
    draw = Rephrase(sentences=sentences, others=0.3)
    drawn = [draw(row.goal, "", things=row.things, key=row.key, t=t, epoch=e) for t in range(100) for e in range(10)]
    others = [one for one in drawn if not one.own]
    assert 0.25 < len(others) / len(drawn) < 0.35
    assert {one.goal.object for one in others} == set(row.things) - {row.goal.object}
    of_another_goal = {said for goal, all_of_it in sentences.items() if goal != row.goal for said in all_of_it}
    assert all(one.sentence in of_another_goal for one in others)
    assert [one.place(row.things) for one in others[:3]] == [1, 1, 1] and others[0].place(()) == -1


def test_another_goal_of_the_scene_has_another_object_or_another_target():
    red, blue, plate, bin_ = Thing("cube", "red"), Thing("cube", "blue"), Thing("plate"), Thing("bin")
    own = Goal("place", red, target=bin_, relation="in")
    allowed = [Goal("place", red, target=plate, relation="on"), Goal("lift", blue), Goal("place", blue, target=bin_)]
    barred = [Goal("lift", red), own, own.done("slowly"), Goal("place", blue, target=Thing("basket"))]
    draw = Rephrase(sentences={goal: (str(goal),) for goal in [*allowed, *barred]}, others=0.9)
    things = (red, blue, plate, bin_)
    told = [draw(own, str(own), things=things, key="one", t=t, epoch=0) for t in range(200)]
    assert {one.goal for one in told if not one.own} == set(allowed)
    places = {(one.goal.verb, one.place(things), one.target_place(things)) for one in told}
    assert places == {("place", 0, 3), ("place", 0, 2), ("lift", 1, -1), ("place", 1, 3)}


def test_a_few_phrasings_a_goal_are_drawn_apart_and_keep_what_was_said():
    every = {
        Goal("lift", Thing("cube", colour)): [f"{way} the {colour} cube" for way in "abcdefghijklmnop"] * (number < 2)
        for number, colour in enumerate(("red", "blue", *map(str, range(34))))
    }
    red, blue = list(every)[:2]

    def few(most, keep=(), seed=1):
        return drawn(every, most, keep=keep, seed=seed)

    kept = ("a the red cube", "elsewhere")
    assert len(few(4, kept)[red]) in (4, 5) and "a the red cube" in few(4, kept)[red]
    assert set(few(4, kept)[red]) < set(every[red]) and few(4, kept) == few(4, kept) != few(4, kept, seed=2)
    assert [said[0] for said in few(4)[red]] != [said[0] for said in few(4)[blue]]
    assert few(99)[red] == few(None)[red] == tuple(every[red])


def test_a_verb_with_few_goals_is_said_in_as_many_ways_as_one_with_many():
    ways = [f"way {number}" for number in range(100)]
    drawer = [Goal("open", Thing("drawer", ""), manner=manner) for manner in (None, "slowly")]
    cubes = [Goal("lift", Thing("cube", str(number))) for number in range(40)]
    counts = {goal: len(said) for goal, said in drawn(dict.fromkeys(drawer + cubes, ways), 2, keep=(), seed=0).items()}
    assert {counts[goal] for goal in drawer} == {36} and {counts[goal] for goal in cubes} == {2}
