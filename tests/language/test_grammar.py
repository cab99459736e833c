"""What the grammar says, and that it refuses what it does not know."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from itertools import product

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mmil.contracts import Goal, Thing, UserError
from mmil.language.bank import find_bank, read_bank
from mmil.language.grammar import Grammar
from mmil.language.templates import wording

GRAMMAR = Grammar.load()
THINGS = [Thing(shape, colour) for shape, colour in product(("cube", "cylinder", "ball"), GRAMMAR.colours)]
GOALS = GRAMMAR.goals([*THINGS[:7], Thing("bin", "green"), Thing("milk"), Thing("can"), Thing("drawer")])
SOME = [goal for verb in GRAMMAR.verbs for goal in [one for one in GOALS if one.verb == verb][::9][:3]]  # of each verb
RED_CUBE = Goal("lift", Thing("cube", "red"))
SPLITS = ("train", "held_out")


def test_the_bank_holds_what_training_needs():
    assert {"cube", "cylinder", "ball"} <= set(GRAMMAR.shapes)
    assert {"red", "green", "blue", "yellow", "purple", "orange"} <= set(GRAMMAR.colours)
    assert len(GRAMMAR.verbs) >= 11 and len(GRAMMAR.verbs["lift"].train) >= 30
    for phrases in GRAMMAR.verbs.values():
        assert len(phrases.train) >= 12 and len(phrases.held_out) >= 8
    assert set(GRAMMAR.manners) == {"slowly", "gently", "quickly"}
    assert len(GRAMMAR.null) >= 12 and "" in GRAMMAR.null


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("verb", GRAMMAR.verbs)
def test_sentences_name_what_is_asked_for_and_nothing_else(verb, split):
    for goal in (goal for goal in SOME if goal.verb == verb):
        named = [thing for thing in (goal.object, goal.target) if thing]
        sentences = GRAMMAR.sentences(goal, split)
        assert list(sentences) == sorted(set(sentences)) and len(sentences) >= 8
        for sentence in sentences[:: len(sentences) // 500 + 1]:
            assert _named(sentence, GRAMMAR.shapes) - {"can"} == {thing.shape for thing in named} - {"can"}, sentence
            assert _named(sentence, GRAMMAR.colours) == {thing.colour for thing in named if thing.colour}, sentence
            assert not re.search(r"[{}]|\b(a|an) (orange|red)\b|  |\s$", sentence), sentence


def english():
    return read_bank(find_bank("english"))


def _named(sentence, section):
    spoken = {name: "|".join(map(re.escape, (*said.train, *said.held_out))) for name, said in section.items()}
    return {name for name, words in spoken.items() if re.search(rf"(?<![\w-])({words})(?![\w-])", sentence)}


def test_no_wording_names_a_thing_in_passing():
    for phrases in GRAMMAR.verbs.values():
        for template in phrases.train + phrases.held_out:
            assert not _named(wording(template), GRAMMAR.shapes) - {"can", "drawer"}, (
                template
            )  # a cabinet is the drawer that is closed
            assert not _named(wording(template), GRAMMAR.colours), template


def test_every_goal_has_its_own_sentences():
    seen = Counter(row["sentence"] for row in GRAMMAR.rows(SOME))
    assert max(seen.values()) == 1


def test_held_out_words_stay_out_of_train():
    sections = ({name: GRAMMAR.shapes[name] for name in ("cube", "cylinder", "ball")}, GRAMMAR.colours)
    held_out = {
        word for section in sections for said in section.values() for words in said.held_out for word in words.split()
    }
    held_out -= set(GRAMMAR.colours)  # “bright red”: the qualifier is what is new
    assert {"bright", "rich", "box", "column"} <= held_out
    train = " ".join(row["sentence"] for row in GRAMMAR.rows(SOME, "train"))
    assert not held_out & set(re.findall(r"[a-z]+", train))
    rng = np.random.default_rng(0)
    mixed = " ".join(GRAMMAR.sample(RED_CUBE, "held_out", rng) for _ in range(300))
    assert all(f"{colour} {shape}" in mixed for colour in ("red", "bright red") for shape in ("cube", "box"))


@given(seed=st.integers(0, 2**32 - 1), thing=st.sampled_from(THINGS), split=st.sampled_from(SPLITS))
def test_a_sample_is_one_of_the_sentences(seed, thing, split):
    goal = Goal("lift", thing)
    sentence = GRAMMAR.sample(goal, split, np.random.default_rng(seed))
    assert GRAMMAR.says(sentence, goal, split)
    assert not GRAMMAR.says(sentence, goal, "train" if split == "held_out" else "held_out")
    assert not GRAMMAR.says(sentence, Goal("lift", Thing("milk")), split)
    assert sentence == GRAMMAR.sample(goal, split, np.random.default_rng(seed))


def test_templates_weigh_the_same_however_many_fillings_they_have(tmp_path):
    data = english()
    data["verbs"]["lift"]["train"] = ["lift the {object}", "raise the {object}"]
    grammar = _load(tmp_path, data)
    rng = np.random.default_rng(0)
    counts = Counter(grammar.sample(RED_CUBE, "train", rng).split()[0] for _ in range(1000))
    assert 420 < counts["lift"] < 580
    nouns = Counter(grammar.sample(RED_CUBE, "train", rng).split()[2] for _ in range(1000))
    assert 420 < nouns["red"] < 580


def test_what_stands_first_is_said_most_often_and_nothing_never():
    rng, words = np.random.default_rng(0), GRAMMAR.shapes["cube"].train[1:]
    counts = Counter(GRAMMAR.fill("{shape}", RED_CUBE, rng) for _ in range(6000))
    assert 2800 < counts["cube"] < 3200 and set(counts) == {"cube", *words}
    said = [counts[word] for word in words]
    third = len(said) // 3
    assert sum(said[:third]) > 1.8 * sum(said[-third:])


def test_a_verb_is_only_data(tmp_path):
    data = english()
    data["verbs"]["push"] = {"train": ["push the {object}"], "held_out": ["shove that {object} along the bench"]}
    grammar = _load(tmp_path, data)
    assert grammar.sentences(Goal("push", Thing("ball", "blue")), "held_out")[0].startswith("shove that blue ")


@given(template=st.text(st.sampled_from("ab {}") | st.characters()).map(lambda text: text + " {object}"))
def test_fill_leaves_no_slot_or_refuses(template):
    try:
        sentence = GRAMMAR.fill(template, RED_CUBE)
    except UserError as error:
        assert "{object}, {colour}, {shape}" in str(error) and "\n" not in str(error)
    else:
        assert not set("{}") & set(sentence)
        assert sentence.endswith(" red cube")


def test_fill_says_plain_names_without_a_generator_and_words_of_a_split_with_one():
    assert GRAMMAR.fill("fetch the {shape} that is {colour}", RED_CUBE) == "fetch the cube that is red"
    rng = np.random.default_rng(0)
    assert {GRAMMAR.fill("{colour}", RED_CUBE, rng) for _ in range(400)} == set(GRAMMAR.colours["red"].train)
    assert {GRAMMAR.fill("{colour}", RED_CUBE, rng, split="held_out") for _ in range(50)} == {
        *("red", "bright red", "rich red")
    }


@pytest.mark.parametrize(
    ("goal", "split", "said"),
    [
        (Goal("juggle", Thing("cube", "red")), "train", "no verb 'juggle' in the bank; there are close"),
        (Goal("lift", Thing("cone", "red")), "train", "no shape 'cone' in the bank; there are cube, cylinder, ball"),
        (Goal("lift", Thing("cube", "beige")), "train", "no colour 'beige' in the bank; there are red, green"),
        (RED_CUBE, "test", "unknown split 'test'; there are train, held_out"),
    ],
)
def test_what_the_bank_does_not_know_is_refused(goal, split, said):
    with pytest.raises(UserError, match=said):
        GRAMMAR.sentences(goal, split)
    with pytest.raises(UserError, match=said):
        GRAMMAR.sample(goal, split, np.random.default_rng(0))


def test_rows_are_every_sentence_once():
    rows = list(GRAMMAR.rows(iter(SOME)))
    assert set(rows[0]) == {"goal", "verb", "split", "sentence"}
    assert len(rows) == sum(len(GRAMMAR.sentences(goal, split)) for goal in SOME for split in SPLITS)
    assert {row["split"] for row in GRAMMAR.rows(SOME, "held_out")} == {"held_out"}
    assert {row["goal"] for row in rows} == set(map(str, SOME))


def test_a_grammar_travels_to_worker_processes():
    assert pickle.loads(pickle.dumps(GRAMMAR)) == GRAMMAR


def _without(key):
    return lambda data: data.pop(key)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_without("colours"), "needs exactly colours, irrelevant, relations, shapes, verbs; got"),
        (lambda data: data["verbs"]["lift"].pop("held_out"), "verbs: lift needs exactly train, held_out"),
        (lambda data: data["verbs"]["lift"]["train"].append("lift {thing}"), "unknown slot '{thing}'"),
        (lambda data: data["verbs"]["lift"]["train"].append("lift the {colour} one"), "names neither {object}"),
        (lambda data: data["verbs"]["lift"]["train"].append(7), "7 is int, not a string"),
        (lambda data: data["verbs"]["lift"]["train"].append("lift the {object}"), "is given twice"),
        (lambda data: data["verbs"].update(lift=None), "lift needs exactly train, held_out; got None"),
        (lambda data: data.update(verbs={}), "verbs must map names to phrases; got {}"),
        (lambda data: data["shapes"]["cube"].update(train=["block"]), "cube must be among its own train words"),
        (lambda data: data["shapes"]["cube"]["train"].append("orb"), "'orb' stands for 2 things"),
        (lambda data: data["colours"]["red"]["train"].append("{shape}"), "is not a word"),
        (lambda data: data.update(irrelevant=[]), "irrelevant must be a list with something in it"),
    ],
)
def test_a_malformed_bank_is_refused_in_one_line(tmp_path, spoil, said):
    data = english()
    spoil(data)
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        _load(tmp_path, data)
    assert "\n" not in str(caught.value) and "bank.yaml" in str(caught.value)


@pytest.mark.parametrize("name", ["klingon", "/nowhere/bank", "/nowhere/bank.yaml"])
def test_a_missing_bank_is_refused(name):
    with pytest.raises(UserError, match=r"no bank .*there are english|no such file"):
        Grammar.load(name)


def _load(folder, data):
    path = folder / "bank.yaml"
    path.write_text(yaml.safe_dump(data))
    return Grammar.load(path)
