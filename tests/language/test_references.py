"""Saying a thing by what else is there: only where it means that thing and no other."""

import re
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import yaml

import mmil.scenes.skills as scene_skills
from mmil.contracts import Body, Goal, Infeasible, Thing, UserError
from mmil.language.bank import Phrases, find_bank, parse_bank, read_bank
from mmil.language.grammar import Grammar
from mmil.language.leaks import check, leaks, overlaps
from mmil.language.references import landmarks, referring
from mmil.scenes.furniture import Furniture
from mmil.scenes.randomize import Randomisation
from mmil.scenes.things import COLOURS, SHAPES, every_thing

GRAMMAR = Grammar.load()
RED, BLUE, BALL, CAN = Thing("cube", "red"), Thing("cube", "blue"), Thing("ball", "red"), Thing("can")


def body(thing, x, y):
    return Body(thing, np.array([x, y, 0.82]), np.array([0.0, 0.0, 0.0, 1.0]), np.full(3, 0.02), held=False)


NEAR_THE_CAN = [body(RED, 0, 0.1), body(BLUE, 0, -0.1), body(CAN, 0.05, 0.1)]


@pytest.mark.parametrize(
    ("among", "expected"),
    [
        ([body(RED, 0, 0), body(BALL, 0.1, 0.1)], {"shape"}),
        ([body(RED, 0, 0), body(Thing("ball", "blue"), 0.1, 0.1)], {"shape", "colour"}),
        ([body(RED, 0, 0), body(CAN, 0.1, 0.1)], {"shape"}),  # cans are red, too, some of them
        ([body(RED, 0, -0.1), body(BLUE, 0, 0.1)], {"colour", "leftmost", "on_the_left"}),
        ([body(RED, 0, 0.04), body(BLUE, 0, -0.1), body(BALL, 0, 0.2)], {"rightmost", "next_to", "that_is_next_to"}),
        ([body(RED, 0, 0.01), body(BLUE, 0, 0), body(BALL, 0.2, 0)], set()),
        ([body(BLUE, 0, 0)], set()),
        ([body(RED, 0, 0), body(RED, 0, 0.2)], set()),
    ],
)
def test_a_reference_means_one_thing(among, expected):
    assert set(landmarks(RED, among)) == expected


def test_the_nearest_is_the_one_next_to_it():
    assert landmarks(RED, NEAR_THE_CAN)["next_to"] == CAN and "next_to" not in landmarks(BLUE, NEAR_THE_CAN)
    far = [body(RED, 0, 0.1), body(BLUE, 0, -0.3), body(CAN, 0.25, 0.1)]
    assert "next_to" not in landmarks(RED, far)


def test_what_could_be_called_the_same_is_told_apart():
    among = [body(Thing("cylinder", "red"), 0, 0), body(CAN, 0, -0.2), body(Thing("cylinder", "blue"), 0, 0.2)]
    kinds = {kind for kind, phrases in GRAMMAR.references.items() for one in said_of(among) if one.phrases is phrases}
    assert kinds == set()  # the can is a cylinder further left
    alone = [body(Thing("cylinder", "red"), 0, 0), body(CAN, 0, 0.2)]
    assert said_of(alone) == []


def said_of(among):
    return referring(Goal("lift", among[0].thing), among, GRAMMAR)


def test_some_sentences_refer_and_the_others_name():
    rng, goal = np.random.default_rng(0), Goal("lift", RED)
    said = [GRAMMAR.sample(goal, "train", rng, among=NEAR_THE_CAN, references=0.25) for _ in range(400)]
    bound = [sentence for sentence in said if not GRAMMAR.says(sentence, goal, "train")]
    assert 70 < len(bound) < 130
    assert all(GRAMMAR.says(sentence, goal, "train", among=NEAR_THE_CAN) for sentence in said)
    assert not any(GRAMMAR.says(sentence, Goal("lift", BLUE), "train", among=NEAR_THE_CAN) for sentence in said)
    assert any("on the right" in sentence for sentence in bound)
    assert any(" the can" in sentence or "tin" in sentence for sentence in bound)
    assert not any("left" in sentence.split() or "blue" in sentence for sentence in bound)
    assert all(GRAMMAR.says(GRAMMAR.sample(goal, "train", rng), goal, "train") for _ in range(50))


def test_without_references_every_sentence_is_the_one_it_was():
    for seed in range(20):
        named, there = (
            GRAMMAR.sample(Goal("lift", RED), "train", np.random.default_rng(seed), among=among, references=0.0)
            for among in ((), NEAR_THE_CAN)
        )
        assert named == there == GRAMMAR.sample(Goal("lift", RED), "train", np.random.default_rng(seed))


def test_next_to_is_not_where_a_thing_shall_go():
    goal, rng = Goal("push", RED, relation="left"), np.random.default_rng(1)
    said = {GRAMMAR.sample(goal, "train", rng, among=NEAR_THE_CAN, references=1.0) for _ in range(200)}
    cans = "|".join(GRAMMAR.shapes["can"].train)
    near = [sentence for sentence in said if re.search(rf"(next to|beside) the ({cans})\b", sentence)]
    told = [sentence for sentence in near if not re.search(r"(that|which)( is|'s| stands) (next to|beside)", sentence)]
    assert near and told == []
    assert [
        sentence for sentence in said if re.search(r"on the right\b(?!-)", sentence)
    ] == []  # but "push on the rightmost"


# -- on real layouts, by another reader --------------------------------------------------------------------------------

LIKE = {"cube": {"bar", "milk", "cereal"}, "cylinder": {"can", "bottle", "peg"}, "ball": {"lemon"}, "bin": {"plate"}}


@pytest.fixture(scope="module")
def layouts():
    """What stands where, as Tabletop draws it for every skill, and what the bank can ask for there."""
    skills = [getattr(scene_skills, name)() for name in scene_skills.__all__ if name != "Skill"]
    pool, available = every_thing(tuple(SHAPES), tuple(COLOURS)), Furniture(skills).all
    found = []
    for number in range(120):
        with suppress(Infeasible):
            many = {"things": 3 + (number % 5 == 0), "fixtures": 2}
            draws = Randomisation().draw(number, pool=pool, skills=skills, available=available, **many)
            items = [*draws["objects"], *draws["fixtures"]]
            bodies = [body(Thing(**item["thing"]), *item["position"]) for item in items]
            found.append((bodies, GRAMMAR.goals(one.thing for one in bodies)))
    return found


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_whoever_looks_and_reads_finds_the_thing_that_is_meant(layouts, split):
    plain = {
        verb: Phrases(*[("{object}" + (" | {target}" if GRAMMAR._aims(verb) else ""),)] * 2, relations=said.relations)
        for verb, said in GRAMMAR.verbs.items()
    }
    reader, rng, kinds = replace(GRAMMAR, verbs=plain), np.random.default_rng(2), set()
    for bodies, goals in layouts:
        for goal in goals[:: max(1, len(goals) // 20)]:
            sentence = reader.sample(goal, split, rng, among=bodies, references=1.0)
            for noun, thing in zip(sentence.split(" | "), (goal.object, goal.target), strict=False):
                kind, meant = means(noun, bodies)
                assert meant == [thing], (sentence, str(goal), [str(one) for one in meant])
                kinds.add(kind)
    assert kinds == {"name", "shape", "colour", "side", "half", "near"}


def means(noun, bodies):
    """How a noun phrase says what it says, and everything there that it could mean."""
    if found := re.fullmatch(rf"({'|'.join(COLOURS)}) (?:one|thing|object|item|toy)", noun):
        return "colour", [one.thing for one in bodies if one.thing.colour in (found[1], "")]
    most = r"(?P<side>left|right)-?most (?P<noun>.+)|(?:far|furthest)-(?P<far>left|right) (?P<one>.+)"
    last = r"(?:first )?(?P<noun>.+) (?:furthest to|farthest to|on the extreme|from) (?:the )?(?P<side>left|right)"
    if found := re.fullmatch(most, noun) or re.fullmatch(last, noun):
        parts = found.groupdict()
        word, side = parts["noun"] or parts["one"], parts["side"] or parts["far"]
        return "side", extreme(called(word, bodies), 1 if side == "right" else -1)
    half = (
        r"(?P<noun>.+?) (?:that is |which stands |over )?(?:on|at) the (?P<side>left|right)"
        r"(?: side|-hand side|-hand half)?"
    )
    if found := re.fullmatch(half, noun) or re.fullmatch(r"(?P<side>left|right)(?:-hand)? (?P<noun>.+)", noun):
        side, middle = 1 if found["side"] == "right" else -1, np.mean([one.position[1] for one in bodies])
        return "half", [one.thing for one in called(found["noun"], bodies) if side * (one.position[1] - middle) > 0]
    near = (
        r"(.+?) (?:(?:that|which)(?: is|'s| stands|) )?(?:next to|nearest to|near|close to|at the side of|beside"
        r"|alongside|by|adjacent to|neighbouring|neighbours) the (.+)"
    )
    if found := re.fullmatch(near, noun):
        (mark,) = named(found[2], bodies)
        others = [one for one in called(found[1], bodies) if one is not mark]
        distances = [np.linalg.norm(one.position[:2] - mark.position[:2]) for one in others]
        close = [one.thing for one, far in zip(others, distances, strict=True) if far < min(distances) / 0.75]
        return "near", close if min(distances) < 0.21 else []
    if plain := named(noun, bodies):
        return "name", [one.thing for one in plain]
    alone = re.fullmatch(r"(?:lone|solitary|only|single) (.+)", noun)
    return "shape", [one.thing for one in called(alone[1] if alone else noun, bodies)]


def extreme(bodies, sign):
    places = [sign * one.position[1] for one in bodies]
    return [one.thing for one, place in zip(bodies, places, strict=True) if place > max(places) - 0.04]


def called(word, bodies):
    """All that a word for a shape could be taken for."""
    (shape,) = [name for name, said in GRAMMAR.shapes.items() if word in said.train + said.held_out]
    alike = {shape, *LIKE.get(shape, ()), *(other for other, like in LIKE.items() if shape in like)}
    return [one for one in bodies if one.thing.shape in alike]


def named(noun, bodies):
    """What has this colour and this shape, or a shape that needs none."""

    def words(section, name):
        return section[name].train + section[name].held_out if name else ("",)

    return [
        one
        for one in bodies
        if any(
            noun == f"{colour} {shape}".lstrip()
            for colour in words(GRAMMAR.colours, one.thing.colour)
            for shape in words(GRAMMAR.shapes, one.thing.shape)
        )
    ]


def test_sentences_of_scenes_leak_no_more_than_others(layouts):
    rng, said = np.random.default_rng(3), {"train": set(), "held_out": set()}
    for bodies, goals in layouts:
        for goal in goals[:: len(goals) // 5 + 1]:
            for split, sentences in said.items():
                sentences.add(GRAMMAR.sample(goal, split, rng, among=bodies, references=1.0))
    assert leaks(said["train"], said["held_out"]) == [] and overlaps(GRAMMAR, said["train"]) == []
    assert len(overlaps(GRAMMAR, said["held_out"])) > 50
    for stray in ("lift the lone cube", "lift the cube adjacent to the can"):  # a training verb, and held-out words
        assert "refers to a thing as the held-out" in overlaps(GRAMMAR, [stray])[0]


# -- the bank ----------------------------------------------------------------------------------------------------------


def test_a_reference_that_training_says_may_not_be_held_out():
    leaky = Phrases(("{shape} beside the {landmark}",), ("{shape} next to the {landmark}",))
    reasons = check(replace(GRAMMAR, references={**GRAMMAR.references, "next_to": leaky}))
    assert any("of next_to occurs in train" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("section", "change"), [("shapes", {"like": ["sofa"]}), ("references", {"objects": ["cube", "sofa"]})]
)
def test_shapes_that_the_bank_does_not_have_are_refused(section, change, tmp_path):
    data = read_bank(find_bank("english"))
    next(iter(data[section].values())).update(change)
    (tmp_path / "bank.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(UserError, match=r"the bank has no sofa; there are ball, bar"):
        parse_bank(tmp_path / "bank.yaml")
