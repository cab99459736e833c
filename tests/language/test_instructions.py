"""A person's own sentences: what is read, and how each mistake is named."""

from __future__ import annotations

import re

import pytest

from mmil.contracts import UserError
from mmil.language.instructions import load_instructions

# ten lists of ten of the one before: a thousand million laughs
LAUGHS = "lift: [[&a0 [ha], " + ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)) + "]]"


def test_templates_of_each_verb_are_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text('lift:\n  - "could you fetch the {object}"\n  - >-\n    the {shape}\n    that is {colour}\n')
    assert load_instructions(path, ["lift"]) == {
        "lift": ("could you fetch the {object}", "the {shape} that is {colour}")
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lift: [fetch the {object}", "not YAML"),
        ("lift: !!python/object/apply:os.getcwd []", "not YAML"),
        ("a: 2026-99-99", "not YAML"),
        ("[" * 3000, "not YAML"),
        ("\x00", "not YAML"),
        ('lift: ["the {object}"]\nlift: ["a {object}"]', "'lift' is given twice"),
        ("", "expected verb → list of templates (verbs: lift); got None"),
        ("- the {object}", "expected verb → list of templates (verbs: lift); got "),
        ("{}", "got {}"),
        ('juggle: ["the {object}"]', "unknown verb 'juggle'; there are lift"),
        ('true: ["the {object}"]', "unknown verb True; there are lift"),
        ('lift: ["the {thing}"]', "unknown slot '{thing}' in 'the {thing}'; there are {object}, {colour}, {shape}"),
        ('lift: ["the {object.__class__}"]', "unknown slot '{object.__class__}'"),
        ('lift: ["the {}"]', "unknown slot '{}'"),
        ('lift: ["the {object"]', "a brace without its partner"),
        ('lift: ["the {{object}}"]', "a brace without its partner"),
        ("lift: []", "lift: the list is empty"),
        ('lift: "the {object}"', "expected a list of templates; got 'the {object}'"),
        ("lift:", "expected a list of templates; got None"),
        ("lift: [pick it up]", "'pick it up' names no object; use one of {object}, {colour}, {shape}"),
        ('lift: [""]', "names no object"),
        ("lift: [3]", "3 is int, not a string"),
        ("lift: [{object}]", "is dict, not a string (quote it?)"),
        ("# " + "x" * 1_000_000, "above 1 MB"),
        (LAUGHS, "is list, not a string"),
        ("lift: [0x" + "f" * 9000 + "]", "a number of many digits is int, not a string"),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        load_instructions(path, ["lift"])
    assert "\n" not in str(caught.value) and "mine.yaml" in str(caught.value) and len(str(caught.value)) < 600


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"lift: \xff\xfe")
    with pytest.raises(UserError, match="not YAML"):
        load_instructions(path, ["lift"])


@pytest.mark.parametrize(
    ("name", "said"), [("none.yaml", "no such file"), (".", "not a file"), ("x" * 300, "cannot be read")]
)
def test_what_is_not_a_file_is_refused(tmp_path, name, said):
    with pytest.raises(UserError, match=said):
        load_instructions(tmp_path / name, ["lift"])
