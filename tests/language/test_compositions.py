"""Compositions: which goals they hold out, how they are written, and what is not one."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mmil.contracts import Goal, Thing, UserError
from mmil.language.compositions import PARTS, Composition, Compositions
from mmil.language.coverage import Coverage

WORDS = {
    "verb": ["push", "put"],
    "shape": ["cube", "milk"],
    "colour": ["red", "blue"],
    "relation": ["left", "on"],
    "target_shape": ["cube", "bin"],
    "target_colour": ["red", "blue"],
    "manner": ["slowly", "gently"],
}
things = st.builds(Thing, st.sampled_from(WORDS["shape"]), st.sampled_from(["", *WORDS["colour"]]))
goals = st.builds(
    Goal,
    st.sampled_from(WORDS["verb"]),
    things,
    st.none() | things,
    st.sampled_from([None, *WORDS["manner"]]),
    st.sampled_from([None, *WORDS["relation"]]),
)
compositions = st.fixed_dictionaries({}, optional={name: st.sampled_from(words) for name, words in WORDS.items()})


def brute(item: dict[str, str], goal: Goal) -> bool:
    target = goal.target or Thing("nothing")
    have = {
        "verb": goal.verb,
        "shape": goal.object.shape,
        "colour": goal.object.colour,
        "relation": goal.relation,
        "target_shape": target.shape,
        "target_colour": target.colour,
        "manner": goal.manner,
    }
    return all(have[name] == value for name, value in item.items())


def lists(items: list[dict[str, str]]) -> Compositions | None:
    try:
        return Compositions.parse(items)
    except UserError:
        return None  # empty, twice or implied


@given(items=st.lists(compositions, min_size=1, max_size=3), every=st.lists(goals, max_size=30))
def test_a_goal_is_held_out_if_all_parts_of_any_composition_agree(items, every):
    held = lists(items)
    for goal in every if held else ():
        out = any(brute(item, goal) for item in items)
        assert held.excludes(goal) == out and (held.split_of(goal) == "held_out") == out
        assert {one for one in held.held_out if one.matches(goal)} == set(held.matching(goal))
    if held:
        assert {*held.of_split(every, "train"), *held.of_split(every, "held_out")} == set(every)


@given(items=st.lists(compositions, min_size=1, max_size=3), every=st.lists(goals, max_size=30))
def test_the_coverage_table_is_a_plain_count(items, every):
    held = lists(items)
    if not held:
        return
    coverage = Coverage.count(held, every)
    training = [goal for goal in every if not any(brute(item, goal) for item in items)]
    assert coverage.goals == len(every) and coverage.training == len(training)
    for line in coverage.lines:
        assert line.shown == sum(brute(dict(line.held_out.items), goal) for goal in every)
        order = len(line.held_out.items)
        assert len(line.parts) == 2**order - 2 and line.held_out not in line.parts
        for part, times in line.parts.items():
            assert times == sum(brute(dict(part.items), goal) for goal in training)
    unseen = sum(not times for line in coverage.lines for times in line.parts.values())
    assert len(coverage.unseen) == unseen
    assert len(coverage.reasons) == unseen + sum(line.shown > 0 for line in coverage.lines)
    rows = coverage.to_json()["compositions"]
    assert [row["held_out"] for row in rows] == held.to_json() and len(coverage.table().splitlines()) == 1 + len(rows)


@given(items=st.lists(compositions, min_size=1, max_size=4))
def test_what_is_written_is_what_is_read(items, tmp_path_factory):
    held = lists(items)
    if not held:
        return
    path = tmp_path_factory.mktemp("layer") / "some.yaml"
    path.write_text(yaml.safe_dump(held.layer()))
    assert Compositions.load(path) == held == Compositions.parse(held.to_json())
    assert Compositions.of({"scene": {"class_path": "any"}}) == Compositions() and not Compositions.of("nonsense")


def test_a_goal_without_a_part_does_not_match_it():
    milk = Goal("lift", Thing("milk"))
    assert not Composition.of(colour="red").matches(milk) and Composition.of(shape="milk").matches(milk)
    assert str(Composition.of(colour="red", verb="push")) == "verb push, colour red"
    assert [one.values for one in Composition.of(verb="a", shape="b", colour="c").smaller()] == [
        *("a", "b", "c"),
        *("a+b", "a+c", "b+c"),
    ]


BOMB = "".join(f"- &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" if n else "- &b0 [x, x]\n" for n in range(9))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"verb": "push"}, "expected a list of compositions such as {verb: push}; got dict"),
        ("push", "expected a list of compositions such as {verb: push}; got 'push'"),
        (["push"], f"item 1: expected values of {', '.join(PARTS)}; got 'push'"),
        ([{"verb": "push"}, {}], "item 2: expected values of"),
        ([{"color": "red"}], f"no part 'color'; there are {', '.join(PARTS)}"),
        ([{3: "red"}], "no part 3"),
        ([{"colour": None}], "colour needs a word; got nothing"),
        ([{"colour": 7}], "colour needs a word; got 7"),
        ([{"colour": ["red"]}], "colour needs a word; got list"),
        ([{"colour": " "}], "colour needs a word; got ' '"),
        (
            [{"relation": True}],
            "relation needs a word; got True (in YAML on, off, yes and no are not words",
        ),
        ([{"colour": "red"}] * 2, "colour red is given twice"),
        (
            [{"verb": "push", "colour": "red"}, {"colour": "red"}],
            "verb push, colour red is implied by colour red; leave one of them out",
        ),
        ([{"verb": str(n)} for n in range(1001)], "1001 compositions, at most 1000 are read"),
        (yaml.safe_load(BOMB), f"item 1: expected values of {', '.join(PARTS)}; got list"),
    ],
)
def test_what_is_no_list_of_compositions_is_told_in_one_line(data, said):
    begun = time.monotonic()
    with pytest.raises(UserError) as error:
        Compositions.of({"scene": {"init_args": {"randomisation": {"held_out": data}}}}, where="here")
    text = str(error.value)
    assert text.startswith("here: held_out: ") and said in text and "\n" not in text and len(text) < 250
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scene: {init_args: {}}", "holds out nothing; it needs a list scene.init_args.randomisation.held_out"),
        ("- verb: push", "holds out nothing"),
        ("", "holds out nothing"),
        ("scene: {init_args: {randomisation: {held_out: [{verb: a, verb: b}]}}}", "'verb' is given twice"),
        ("scene: [", "not YAML"),
        ("scene: !!python/object/apply:os.system [ls]", "not YAML"),
    ],
)
def test_a_file_without_compositions_is_refused(text, said, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"odd\.yaml") as error:
        Compositions.load(path)
    assert said in str(error.value)
