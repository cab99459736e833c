"""The build-time check that held-out language is held out, and that the check itself can fail."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mmil.contracts import Thing, UserError
from mmil.language.bank import Phrases, find_bank, read_bank
from mmil.language.grammar import Grammar
from mmil.language.leaks import check, leaks, overlaps, require_apart
from mmil.language.words import content

GRAMMAR = Grammar.load()
GOALS = GRAMMAR.goals(
    [Thing("cube", "red"), Thing("cylinder", "blue"), Thing("milk"), Thing("bin", "green"), Thing("drawer")]
)
TRAIN = [row["sentence"] for row in GRAMMAR.rows(GOALS, "train")]
HELD_OUT = [row["sentence"] for row in GRAMMAR.rows(GOALS, "held_out")]


def test_no_sentence_of_training_could_be_said_by_a_held_out_template():
    assert overlaps(GRAMMAR, TRAIN) == []
    for sentence in HELD_OUT[::97]:
        assert overlaps(GRAMMAR, [*TRAIN[:3], sentence]), sentence
    assert overlaps(GRAMMAR, ["Hoist THAT red cube in the air, please"]) and not overlaps(
        GRAMMAR, ["hoist the red sail"]
    )


def test_the_bank_does_not_leak():
    assert check(GRAMMAR) == []
    assert leaks(TRAIN, HELD_OUT) == []
    assert leaks(TRAIN, GRAMMAR.null) == []


@pytest.mark.parametrize(
    ("train", "held_out"),
    [
        ("lift the red cube", "lift the red cube"),
        ("lift the red cube", "Lift  the red cube!"),
        ("lift the red cube", "the red cube, lift it please"),
        ("lift the red cube", "could you lift up that red cube for me?"),
        ("lift the red cube", "would you mind lifting the red cubes"),
        ("I need the red cube lifted", "I want you to lift the red cube"),
        ("take the red cube", "the red cube should be taken"),
        ("grab the red cube", "grabbing the red cube, thanks"),
        ("raise the red cube", "raised: red cube"),
        ("pick the red cube up", "please, pick up the red cube."),
    ],
)
def test_sentences_that_only_differ_in_wording_are_leaks(train, held_out):
    assert leaks([train, "an unrelated remark"], [held_out])


@pytest.mark.parametrize(
    "held_out",
    ["hoist the red cube", "lift the green cube", "lift the red box", "lift the red", "", "what is it?", "red"],
)
def test_sentences_that_say_something_else_are_not(held_out):
    assert leaks(["lift the red cube", "can you"], [held_out]) == []


@settings(max_examples=30, deadline=None)
@given(sentence=st.sampled_from(TRAIN), seed=st.integers(0, 999), polite=st.sampled_from(["", "please", "could you"]))
def test_an_injected_near_duplicate_is_found(sentence, seed, polite):
    words = [*polite.split(), *re.findall(r"\w+", sentence.upper())]
    random.Random(seed).shuffle(words)
    reasons = leaks(TRAIN, [*HELD_OUT, "  ".join(words) + "?!"])
    assert len(reasons) == 1


@pytest.mark.parametrize(
    "forms",
    [
        "lift lifts lifted lifting",
        "raise raises raised raising",
        "grab grabs grabbed grabbing",
        "carry carries carried carrying",
        "fetch fetches fetched fetching",
        "elevate elevates elevated elevating",
        "take takes took taken taking",
        "hold holds held holding",
        "box boxes",
        "cube cubes",
    ],
)
def test_inflection_does_not_hide_a_word(forms):
    assert len({content(form) for form in forms.split()}) == 1


def test_stems_keep_the_words_of_the_bank_apart():
    verbs = ("lift", "raise", "rise", "pick", "grab", "take", "get", "hoist", "fetch", "heave", "collect", "seize")
    sections = {**GRAMMAR.shapes, **GRAMMAR.colours}
    meaning = {name: said.train + said.held_out for name, said in sections.items()} | {verb: (verb,) for verb in verbs}
    meant = defaultdict(set)
    for name, words in meaning.items():
        for word in words:
            meant[content(word)].add(name)
    assert meant.pop(frozenset()) == {"can"}  # which is what one asks with
    assert [names for names in meant.values() if len(names) > 1] == []


def test_a_data_set_that_was_trained_on_the_suite_is_refused():
    require_apart(TRAIN, HELD_OUT, what="data/quickstart")
    with pytest.raises(UserError, match=r"data/quickstart: \d+ held-out sentences are not held out: shared sentence"):
        require_apart([*TRAIN, HELD_OUT[5].upper()], HELD_OUT, what="data/quickstart")


def _lift(train=(), held_out=()):
    old = GRAMMAR.verbs["lift"]
    return replace(GRAMMAR, verbs={"lift": Phrases((*old.train, *train), (*old.held_out, *held_out))})


def _colour(train=(), held_out=()):
    red = Phrases(("red", *train), ("scarlet", *held_out))
    return replace(GRAMMAR, colours={**GRAMMAR.colours, "red": red})


@pytest.mark.parametrize(
    ("bank", "said"),
    [
        (_lift(held_out=["Lift the {object}!"]), "shared template of lift"),
        (_lift(held_out=["would you kindly lift the {object}"]), "without a held-out content word"),
        (_lift(held_out=["hoist the {object}"]), "of lift one word from '"),
        (_lift(held_out=["now hoist and lift up that {object}"]), None),
        (_lift(train=["fetch the {object}"]), "without a held-out content word"),
        (_lift(train=["what a bright day, lift the {object}"]), "held-out word 'bright red' of red occurs in train"),
        (_colour(train=["scarlet"]), "held-out word 'scarlet' of red occurs in train"),
        (_colour(held_out=["violet"]), "held-out word 'violet' of red occurs in train"),
        (_colour(held_out=["Cubes"]), "held-out word 'Cubes' of red occurs in train"),
        (replace(GRAMMAR, null=("", "nice boxes")), "irrelevant sentence 'nice boxes' holds 'box'"),
        (replace(GRAMMAR, null=("hoist the sail",)), "irrelevant sentence 'hoist the sail'"),
    ],
)
def test_the_check_finds_an_injected_leak(bank, said):
    reasons = check(bank)
    assert reasons == [] if said is None else any(said in reason for reason in reasons)


def test_another_verb_may_not_train_a_held_out_word():
    verbs = {
        **GRAMMAR.verbs,
        "bring": Phrases(("fetch the {object} over here",), ("convey the {object} to this seat",)),
    }
    assert any("of lift without a held-out content word" in reason for reason in check(replace(GRAMMAR, verbs=verbs)))


def test_a_bank_that_leaks_does_not_load(tmp_path):
    data = read_bank(find_bank("english"))
    data["verbs"]["lift"]["held_out"].append("please raise the {object}")
    path = tmp_path / "leaky.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(UserError, match=r"leaky\.yaml leaks: held-out template of lift without"):
        Grammar.load(path)
