"""`mmil splits`: choose, write, check, and count in a data set that was made with what was written."""

from __future__ import annotations

import json
from functools import partial

import pytest
import yaml

from data_tools.splits import splits
from mmil import cli
from mmil.contracts import UserError
from mmil.data.dataset import Dataset
from mmil.language.compositions import Compositions
from tests.plane import build
from tests.sorting import EVERY, NODE, Sorting

PAIR = {"verb": "lift", "colour": "red"}


def recipe(folder, **options):
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({"scene": {**NODE, "init_args": options}, "episodes": 5}))
    return path


def data(folder, held, *, obeys=True):
    config = {"scene": {**NODE, "init_args": {"randomisation": {"held_out": held}}}}
    scene = partial(Sorting, randomisation={"held_out": held if obeys else []})
    build(folder, scene=scene, episodes=24, per_shard=24, config=config)
    return folder


def test_what_is_chosen_is_written_checked_and_obeyed(tmp_path, capsys):
    out = tmp_path / "new" / "pairs.yaml"
    options = ["--order", "2", "--share", "0.4", "--among", '["verb","colour"]', "--layouts", "40"]
    assert cli.main(["splits", str(recipe(tmp_path)), *options, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    held = Compositions.load(out)
    assert held and all(str(one) in said for one in held.held_out)
    assert f"next: mmil generate --config {tmp_path / 'recipe.yaml'} --config {out} --out DIR" in said
    head = out.read_text().splitlines()
    assert head[0].startswith("# command:  mmil splits") and "--share 0.4" in head[0] and "# held out" in head[4]
    table = json.loads(out.with_suffix(".json").read_text())
    assert [row["held_out"] for row in table["compositions"]] == held.to_json() and table["reasons"] == []
    assert table["goals"] == pytest.approx(1000) and table["training"] >= 600

    again = splits([tmp_path / "recipe.yaml", out], layouts=40)
    assert again.held == held and again.reasons == ()

    folder = data(tmp_path / "data", held.to_json())
    counted = splits([folder])
    assert counted.reasons == () and counted.held == held
    rows = Dataset.open(folder).rows
    assert not any(held.excludes(row.goal) for row in rows) and counted.coverage.goals == len(rows)
    assert cli.main(["splits", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["goals"] == len(rows)


def test_a_data_set_that_shows_what_it_holds_out_is_told(tmp_path, capsys):
    folder = data(tmp_path / "data", [PAIR], obeys=False)
    shown = sum(row.goal == EVERY[0] for row in Dataset.open(folder).rows)
    assert shown and str(EVERY[0]) == "lift red cube"
    assert cli.main(["splits", str(folder)]) == 1
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == f"verb lift, colour red is held out, but {shown} episodes show it"
    assert "1 reasons not to use it" in told.out


def test_manners_are_offered_as_they_are_drawn(tmp_path):
    found = splits([recipe(tmp_path, manners=0.4)], order=2, among=("verb", "manner"), share=0.5, layouts=60)
    assert [one.names for one in found.held.held_out] == [("verb", "manner")] and found.reasons == ()
    assert 100 < found.coverage.lines[0].shown < 300  # a half of the verbs, four tenths slowly
    assert found.coverage.goals == pytest.approx(1000)
    with pytest.raises(UserError, match="no pair of values of verb, manner can be held out"):
        splits([tmp_path / "recipe.yaml"], order=2, among=("verb", "manner"), share=0.1, layouts=60)


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ([{"colour": "pink"}], "no colour pink can be asked for; there are blue, green, red"),
        ([PAIR, {"verb": "touch", "colour": "red"}], "colour red is never seen in training"),
        ([{"shape": "block", "verb": "lift"}], "shape block is another word for cube: hold out shape cube"),
    ],
)
def test_what_a_recipe_may_not_hold_out(held, reason, tmp_path):
    layer = tmp_path / "layer.yaml"
    layer.write_text(yaml.safe_dump({"scene": {"init_args": {"randomisation": {"held_out": held}}}}))
    found = splits([recipe(tmp_path), layer], layouts=20)
    assert any(reason in line for line in found.reasons), found.reasons


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{tmp}/none.yaml"], "none.yaml: no such file"),
        (["{tmp}/recipe.yaml"], "recipe.yaml holds out nothing; --order 1, 2 or 3 chooses"),
        (["{tmp}/recipe.yaml", "--order", "4"], "order"),
        (["{tmp}/recipe.yaml", "--order", "2", "--layouts", "0"], "0 layouts; at least 1"),
        (["{tmp}/recipe.yaml", "--order", "2", "--share", "7"], "share is 7.0; it must lie between 0 and 1"),
        (["{tmp}/recipe.yaml", "--order", "2", "--out", "{tmp}/pairs"], "a name that ends in .yaml"),
        (["{tmp}/recipe.yaml", "--order", "2", "--out", "{tmp}/recipe.yaml"], "recipe.yaml exists; name a new file"),
        (
            ["{tmp}/recipe.yaml", "--order", "2", "--share", "0.4", "--out", "{tmp}/list.yaml/p.yaml"],
            "cannot write",
        ),
        (["{tmp}/list.yaml"], "no recipe of `mmil generate` and no layer of one: it has no scene"),
        (["{tmp}/layer.yaml"], "its scene has no class_path"),
        (["{tmp}", "--order", "2"], "a data set is counted alone"),
        (["{tmp}"], "is not a data set"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(arguments, said, tmp_path, capsys):
    recipe(tmp_path)
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "layer.yaml").write_text("scene: {init_args: {randomisation: {held_out: [{verb: lift}]}}}")
    before = sorted(tmp_path.iterdir())
    few = [] if "--layouts" in arguments else ["--layouts", "12"]
    assert cli.main(["splits", *[part.format(tmp=tmp_path) for part in arguments], *few]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and said in error and sorted(tmp_path.iterdir()) == before


def test_a_data_set_without_any_says_so(tmp_path):
    build(tmp_path / "data", scene=Sorting, episodes=2)
    with pytest.raises(UserError, match="was made without holding out compositions"):
        splits([tmp_path / "data"])
