"""Every YAML of configs/ is what its verb accepts: a new part joins by existing, a misspelt key fails at once."""

import json
from pathlib import Path

import pytest
import yaml

from mmil.config import parse
from mmil.contracts import UserError
from mmil.evaluation.suites import load_suite, suite_names
from mmil.language.compositions import Compositions
from tests.learning import SPEC
from tests.plane import build

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("generate/*.yaml")), ids=lambda path: path.stem)
def test_every_generate_config_parses(path, tmp_path):
    from data_tools.generate import generate

    arguments = ["--config", str(path), "--out", str(tmp_path)]
    parsed = parse(generate, arguments, verb="generate", skip=("grammar", "config"))
    assert parsed.resolved["episodes"] > 0 and callable(parsed.options["scene"])


@pytest.mark.parametrize("recipe", sorted(CONFIGS.glob("generate/*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("path", sorted(CONFIGS.glob("actor/*.yaml")), ids=lambda path: path.stem)
def test_every_actor_can_be_laid_over_every_recipe(path, recipe, tmp_path):
    from data_tools.generate import generate

    told = yaml.safe_load(path.read_text())
    for name in ("config.yaml", "model.safetensors"):  # a run, as far as anybody looks before it acts
        (tmp_path / name).touch()
    (tmp_path / "spec.json").write_text(json.dumps(SPEC.to_json()))
    arguments = ["--config", str(recipe), "--config", str(path), "--out", str(tmp_path)]
    arguments += ["--actor.init_args.novice.init_args.run", str(tmp_path)] if "novice" in path.read_text() else []
    parsed = parse(generate, arguments, verb="generate", skip=("grammar", "config"))
    assert parsed.resolved["actor"]["class_path"] == told["actor"]["class_path"]
    assert parsed.options["actor"]().expert is not None and parsed.options["expert"] is None


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("teleop/*.yaml")), ids=lambda path: path.stem)
def test_every_teleop_config_parses(path, tmp_path):
    from data_tools.teleop import teleop

    arguments = ["--config", str(path), "--out", str(tmp_path)]
    parsed = parse(teleop, arguments, verb="teleop", skip=("grammar", "config", "tell"))
    assert parsed.resolved["device"]["class_path"].startswith("mmil.scenes.handsets.") and callable(
        parsed.options["screen"]
    )


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("train/*.yaml")), ids=lambda path: path.stem)
def test_every_train_config_parses(path, tmp_path):
    from mmil.algos.launch import train_somewhere

    arguments = ["--config", str(path), "--data", "data", "--out", str(tmp_path)]
    parsed = parse(train_somewhere, arguments, verb="train", skip=("config", "tell"))
    assert callable(parsed.options["algo"]) and parsed.resolved["algo"]["class_path"].startswith("mmil.algos.")


@pytest.mark.parametrize("recipe", sorted(CONFIGS.glob("train/*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("path", sorted(CONFIGS.glob("head/*.yaml")), ids=lambda path: path.stem)
def test_every_head_can_be_laid_over_every_train_config(path, recipe, tmp_path):
    from mmil.algos.launch import train_somewhere

    def parsed(*configs):
        arguments = [part for config in configs for part in ("--config", str(config))] + ["--data=d", "--out=o"]
        resolved = parse(train_somewhere, arguments, verb="train", skip=("config", "tell")).resolved
        return resolved, resolved["algo"]["init_args"]["policy"]["init_args"].pop("head")

    (plain, _), (laid, head) = parsed(recipe), parsed(recipe, path)
    assert laid == plain  # everything else stays
    assert head["class_path"].lower() == f"mmil.heads.{path.stem}"
    assert path.read_text().startswith("# part: ") and f"configs/head/{path.name}" in path.read_text()


def test_every_head_has_a_config():
    import inspect

    import mmil.heads

    kinds = [kind for kind in vars(mmil.heads).values() if inspect.isclass(kind) and not inspect.isabstract(kind)]
    assert {path.stem for path in CONFIGS.glob("head/*.yaml")} == {kind.__name__.lower() for kind in kinds}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("render/*.yaml")), ids=lambda path: path.stem)
def test_every_render_config_parses(path, tmp_path):
    from data_tools.render import render

    parsed = parse(render, [str(tmp_path), "--config", str(path)], verb="render", positional=("path",))
    assert parsed.resolved["look"] is not None


@pytest.mark.parametrize(
    "path",
    sorted([*CONFIGS.glob("[agt]*/*.yaml"), *CONFIGS.glob("render/*.yaml")]),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_every_recipe_says_what_it_costs_and_gives(path):
    head = path.read_text().splitlines()[:4]
    assert [line.split(":")[0] for line in head] == ["# command", "# hardware", "# result", "# commit"], head


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("ablate/*.yaml")), ids=lambda path: path.stem)
def test_every_variant_of_every_ablation_parses(path, tmp_path):
    from mmil.ablation.ablate import ablate
    from mmil.ablation.recipe import Recipe
    from mmil.commands import resolved

    arguments = ["--config", str(path), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    told = parse(ablate, arguments, verb="ablate", skip=("resolve", "run", "tell")).options
    build(told["data"], episodes=1, config=_generated(tmp_path / "data"))
    names = ("base", "data", "out", "axes", "train", "evaluate", "suites", "seeds")
    recipe = Recipe(**{name: told[name] for name in names})
    jobs = recipe.jobs(resolved)
    assert len(jobs) == len({job.run for job in jobs}) > 1
    assert {place for job in jobs for place in job.places} == {(axis, name) for axis, name, _ in recipe.variants}
    bases = [axis for job in jobs if job.name == "base" for axis, _ in job.places]
    assert sorted(bases) == sorted(map(str, told["axes"])), "every axis shows the base"


def _generated(out):
    """The config that a manifest has of the longest recipe."""
    from data_tools.generate import generate

    arguments = ["--config", str(CONFIGS / "generate/skills.yaml"), "--out", str(out)]
    return parse(generate, arguments, verb="generate", skip=("grammar", "config", "lineage", "tell")).resolved


@pytest.mark.parametrize("by", [("--config", "{}"), ("--config={}",)])
def test_a_config_may_stand_in_the_command_line_and_be_longer_than_any_name(by):
    def listed(*, names: list[str]) -> None: ...

    told = {"names": [f"name {number}" for number in range(2000)]}
    arguments = [part.replace("{}", json.dumps(told)) for part in by]
    assert parse(listed, arguments, verb="list").resolved == told


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("compositions/*.yaml")), ids=lambda path: path.stem)
def test_every_list_of_compositions_loads_with_its_table(path):
    held = Compositions.load(path)
    table = json.loads(path.with_suffix(".json").read_text())
    assert [row["held_out"] for row in table["compositions"]] == held.to_json() and table["reasons"] == []
    assert all(part["training"] > 0 for row in table["compositions"] for part in row["parts"])


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_loads(name):
    assert load_suite(name).name == name


def test_a_misspelt_key_is_named_with_what_exists(tmp_path):
    from mmil.algos.training import train

    config = yaml.safe_load((CONFIGS / "train" / "quickstart.yaml").read_text())
    config["algo"]["init_args"]["policy"]["init_args"]["vision"]["init_args"]["stage"] = [2]
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match="stage") as error:
        parse(
            train, ["--config", str(tmp_path / "bad.yaml"), "--data", "d", "--out", "o"], verb="train", skip=("config",)
        )
    assert "\n" not in str(error.value) and "Namespace(" not in str(error.value)


def test_an_unknown_suite_is_told_with_those_that_exist():
    with pytest.raises(
        UserError, match="no suite 'sene'; there are seen, paraphrase, composition, camera, manner, wrong"
    ):
        load_suite("sene")
