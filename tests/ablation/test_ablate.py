"""`mmil ablate` on a plane: every variant once, what is done stays done, and what fails loses nobody else."""

import json
import xml.etree.ElementTree as ElementTree
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import yaml

from mmil import child, commands
from mmil.ablation.ablate import ablate
from mmil.config import build_scene, parse
from mmil.contracts import Goal, Trial, UserError
from mmil.data.dataset import Dataset
from mmil.evaluation.breakdown import details
from mmil.evaluation.statistics import summarise
from mmil.evaluation.trials import weights_sha256
from mmil.run import RunFolder
from tests.plane import THINGS, build
from tests.tiny import SCENE, WIDTH, config

GOAL = Goal("lift", THINGS[0])
HEAD = "algo.init_args.policy.init_args.head"
AXES = {
    "head": {"regression": {}, "mixture": {"train": {HEAD: {"class_path": "mmil.heads.Mixture", "init_args": WIDTH}}}},
    "wrench": {"with": {}, "without": {"train": {"algo.init_args.policy.init_args.wrench": None}}},
    "demonstrations": {3: {"episodes": 3}, "all": {}},
    "cameras": {"fixed": {"generate": {"scene.init_args.randomisation": {"cameras": "none"}}}},
    "start": {"nowhere": {"train": {"start": "nowhere"}}},
}
ONE = {"head": {"regression": {}}}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    out = tmp_path_factory.mktemp("ablation")
    told = {"scene": SCENE, "actor": {"class_path": "tests.plane.Reach"}}
    build(out / "data", episodes=6, scene=partial(build_scene, SCENE), config=told)
    (out / "base.yaml").write_text(yaml.safe_dump(config()))
    return out


@cache
def resolve(arguments):
    return commands.resolved(arguments)


class Pretend:
    """Does command lines in no time, but for `mmil generate`; `stop` interrupts instead of the n-th training."""

    def __init__(self, stop: int | None = None) -> None:
        self.done, self.stop = [], stop

    def __call__(self, arguments) -> None:
        verb, *rest = arguments
        if verb == "train" and self.stop == len(self.of("train")):
            raise KeyboardInterrupt
        self.done.append(tuple(arguments))
        if verb == "generate":
            commands.generate([*rest, "--workers=1", "--patience=null"])
        else:
            {"train": train, "evaluate": evaluate}[verb](resolve(arguments))

    def of(self, verb: str) -> list[str]:
        """The folders that it was done in."""
        told = [line for line in self.done if line[0] == verb]
        return [line[1] if verb == "evaluate" else line[-1].removeprefix("--out=") for line in told]


def train(asked) -> None:
    folder = RunFolder.claim(Path(asked["out"]), asked)
    if asked["start"]:
        raise UserError(f"{asked['start']} is not a run")
    made = Dataset.open(asked["data"])
    folder.write("data.json", {"training_episodes": asked["episodes"] or len(made), "config": made.manifest["config"]})
    (folder.path / "model.safetensors").write_bytes(folder.path.name.encode())
    folder.write("train.json", {"seconds": 60.0, "finished": True})


def evaluate(asked) -> None:
    run = Path(asked["run"])
    rng = np.random.default_rng(list(run.name.encode()))
    for suite in asked["suite"].split(","):
        ends = ["success" if rng.random() < 0.7 else "missed" for _ in range(asked["trials"])]
        trials = [Trial(suite, GOAL, "lift it", 2 * i + 1, end, 9, None) for i, end in enumerate(ends)]
        told = {name: asked[name] for name in ("seed", "ensemble", "horizon")}
        told |= {"execute": 4, "weights_sha256": weights_sha256(run), "seconds": 30.0}
        place = run / "evaluation" / suite
        place.mkdir(parents=True, exist_ok=True)
        (place / "trials.jsonl").write_text("".join(json.dumps(trial.to_json()) + "\n" for trial in trials))
        (place / "summary.json").write_text(json.dumps({**summarise(trials), **details(trials), **told}))


def start(place, *options, run=None, axes=AXES, told=None, **more):
    recipe = {"base": str(place / "base.yaml"), "data": str(place / "data"), "out": str(place / "out"), "axes": axes}
    recipe |= {"suites": ["seen", "null"], "evaluate": {"trials": 20, "horizon": 10}, **more}
    (place / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    parsed = parse(
        ablate, ["--config", str(place / "recipe.yaml"), *options], verb="ablate", skip=("resolve", "run", "tell")
    )
    tell = (told if told is not None else []).append
    return ablate(**parsed.options, resolve=resolve, run=run or Pretend(), tell=tell)


@pytest.fixture(scope="module")
def finished(place):
    """After it was interrupted at its third training: what was done then and since, and how it ended."""
    with pytest.raises(KeyboardInterrupt):
        start(place, run=(first := Pretend(stop=2)))
    then = start(place, run=(second := Pretend()))
    return first, second, then


def test_every_variant_is_trained_once_and_what_was_done_is_not_done_again(place, finished):
    first, second, _ = finished
    runs = [path.rsplit("/", 1)[1] for path in (*first.of("train"), *second.of("train"))]
    assert runs == [
        *("base-seed0", "head-mixture-seed0", "wrench-without-seed0", "demonstrations-3-seed0"),
        *("cameras-fixed-seed0", "start-nowhere-seed0"),
    ]
    judged = [path.rsplit("/", 1)[1] for path in (*first.of("evaluate"), *second.of("evaluate"))]
    assert judged == runs[:-1]
    assert first.of("generate") == [] and second.of("generate") == [str(place / "data.cameras-fixed")]
    start(place, run=(third := Pretend()))
    assert [line[0] for line in third.done] == ["train"] and "nowhere" in third.of("train")[0]


def test_a_variant_is_what_its_recipe_says(place, finished):
    runs = place / "out" / "runs"
    policy = RunFolder.open(runs / "wrench-without-seed0").config["algo"]["init_args"]["policy"]["init_args"]
    assert policy["wrench"] is None and policy["signals"] is not None
    assert RunFolder.open(runs / "demonstrations-3-seed0").data["training_episodes"] == 3
    made, first = Dataset.open(place / "data.cameras-fixed"), Dataset.open(place / "data")
    assert made.manifest["config"]["scene"]["init_args"]["randomisation"] == {"cameras": "none"}
    assert [row.key for row in made.rows] == [row.key for row in first.rows]


def test_what_fails_is_told_and_loses_nobody_else(finished):
    (name, reason), *more = finished[2].failed.items()
    assert name == "start-nowhere-seed0" and "nowhere" in reason and not more


def test_results_figure_and_page_show_every_variant(place, finished):
    out = place / "out"
    results = json.loads((out / "results.json").read_text())
    rows = {(row["axis"], row["variant"]): row for row in results["rows"]}
    assert list(rows) == [(axis, str(name)) for axis, variants in AXES.items() for name in variants]
    assert rows["start", "nowhere"]["suites"] == {} and results["lines"] == ["demonstrations"]
    for place_, row in rows.items():
        for cell in row["suites"].values():
            assert cell["n"] == 20 and cell["low"] <= cell["rate"] <= cell["high"]
            assert (cell["against_base"] is None) == (row["name"] == "base"), place_
            assert row["name"] == "base" or cell["against_base"]["n"] == 20
    assert [rows["demonstrations", name]["episodes"] for name in ("3", "all")] == [3, 6]
    drawn = ElementTree.parse(out / "figure.svg").getroot()
    names = [text for text in map("".join, map(ElementTree.Element.itertext, drawn.iter())) if text]
    page, table = (out / "ablation.html").read_text(), (out / "table.txt").read_text()
    assert all(any(name in text for text in names) for axis, name in rows if axis != "demonstrations")
    assert "start-nowhere-seed0 failed" in page and "head mixture" not in table and "mixture" in table
    assert finished[2].lines[-1] == f"look at: {out / 'ablation.html'}"


def test_an_estimate_says_what_is_left_and_writes_nothing(place, finished):
    before, told = sorted(place.rglob("*")), []
    done = start(place, "--estimate=true", run=Pretend(), told=told, axes={**AXES, "more": {"two": {"episodes": 2}}})
    assert sorted(place.rglob("*")) == before and "nothing was written" in done.lines[-1]
    states = {line.split()[0]: line for line in told}
    assert "done" in states["base-seed0"] and "to train" in states["more-two-seed0"]
    assert "the base took" in told[-1] and "2 to train" in told[-1]


def test_one_that_changed_is_refused_and_the_others_go_on(place, finished):
    changed = {**AXES, "demonstrations": {3: {"episodes": 2}, "all": {}}}
    changed["cameras"] = {"fixed": {"generate": {"scene.init_args.randomisation": {"cameras": "train"}}}}
    done = start(place, "--only=demonstrations,cameras,base", run=(work := Pretend()), axes=changed)
    assert work.done == [] and list(done.failed) == ["demonstrations-3-seed0", "cameras-fixed-seed0"]
    assert "episodes: 2 != 3" in done.failed["demonstrations-3-seed0"]
    assert "data of another scene" in done.failed["cameras-fixed-seed0"]


def test_two_seeds_are_put_together_and_their_spread_is_shown(place, finished):
    start(place, run=(work := Pretend()), seeds=[0, 1], axes={"head": AXES["head"]})
    assert [path.rsplit("/", 1)[1] for path in work.of("train")] == ["base-seed1", "head-mixture-seed1"]
    (row,) = [r for r in json.loads((place / "out" / "results.json").read_text())["rows"] if r["variant"] == "mixture"]
    cell = row["suites"]["seen"]
    assert cell["n"] == 40 and len(cell["rates"]) == 2 and cell["against_base"]["n"] == 40
    assert cell["rate"] == pytest.approx(sum(cell["rates"]) / 2) and cell["low"] < cell["rate"] < cell["high"]
    assert cell["layouts"] == 20 and cell["against_base"]["p"] is None, "trials on one layout are not independent"
    page, table = ((place / "out" / name).read_text() for name in ("ablation.html", "table.txt"))
    assert "Open circles" in page and "pigeonhole bootstrap" in page and "20 × 2" in table and "McNemar" not in page
    assert ", ".join(f"{100 * rate:.0f}" for rate in cell["rates"]) in table


def test_an_axis_is_a_line_only_where_its_own_variants_differ_in_demonstrations(place, tmp_path):
    axes = {"head": AXES["head"], "demonstrations": {3: {"episodes": 3}, 4: {}}}
    start(place, run=Pretend(), axes=axes, train={"episodes": 4}, out=str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "results.json").read_text())["lines"] == ["demonstrations"]


def test_real_trainings_and_trials_are_known_as_done(place, tmp_path):
    done = []

    def work(arguments):
        done.append(arguments[0])
        getattr(commands, arguments[0])(arguments[1:])

    told = {"trials": 1, "horizon": 5, "workers": 1, "patience": None}
    more = {"out": str(tmp_path / "out"), "axes": {"demonstrations": {2: {"episodes": 2}}}, "evaluate": told}
    assert start(place, run=work, **more, suites=["seen"]).failed == {}
    assert done == ["train", "evaluate"] * 2
    start(place, run=work, **more, suites=["seen"])
    assert len(done) == 4
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["episodes"] for row in (results["base"], *results["rows"])] == [6, 2]
    assert all(row["train_seconds"] > 0 and row["suites"]["seen"]["n"] == 1 for row in results["rows"])


@pytest.mark.parametrize(
    ("more", "options", "parts"),
    [
        ({}, ["--only=flow"], ["no variant or axis 'flow'", "there are base, head, head-regression, regression"]),
        ({"axes": {"head": {"none": {"config": ["none.yaml"]}}}}, [], ["head-none", "none.yaml"]),
        ({"axes": {"a": {"b": {"train": {f"{HEAD}.init_args.with": 3}}}}}, [], ["a-b", "with"]),
        ({"axes": {"a": {"b": {"train": {"out": "else"}}}}}, [], ["a-b: train has out"]),
        ({"axes": {"a": {"b": {"train": {"algo": 3, "algo.init_args": 4}}}}}, [], ["a-b: algo.init_args is a part"]),
        ({"axes": {"a": {"b": {"episodes": 7}}}}, [], ["a-b: episodes is 7", "has 6"]),
        ({"axes": {"a": {"b": {"data": "x", "generate": {"seed": 3}}}}}, [], ["a-b has both data and generate"]),
        ({"axes": {"a": {"b": {"generate": {"episode": 3}}}}}, [], ["a-b", "episode"]),
        ({"axes": {}}, [], ["axes is empty"]),
        ({"suites": ["sene"]}, [], ["no suite 'sene'; there are seen"]),
        ({"evaluate": {"without": "wrist"}}, [], ["no option of evaluate 'without'", "trials"]),
        ({"evaluate": {"trials": "few"}}, [], ["trials", "few"]),
        ({"data": "nothing"}, [], ["nothing"]),
    ],
)
def test_a_mistake_is_told_before_anything_is_begun(place, tmp_path, more, options, parts):
    with pytest.raises(UserError) as error:
        start(place, *options, run=(work := Pretend()), **{"out": str(tmp_path / "new"), "axes": ONE, **more})
    assert all(part in str(error.value) for part in parts), error.value
    assert "\n" not in str(error.value) and work.done == [] and not (tmp_path / "new").exists()


def test_a_folder_of_something_else_is_left_alone(place, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds something else: mine\.txt"):
        start(place, out=str(tmp_path), axes=ONE)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_two_at_a_time_are_refused(place, tmp_path):
    def again(arguments):
        with pytest.raises(UserError, match="being worked at"):
            start(place, out=str(tmp_path / "out"), axes=ONE)
        raise UserError("enough")

    assert set(start(place, "--only=base", run=again, out=str(tmp_path / "out"), axes=ONE).failed.values()) == {
        "enough"
    }


def test_a_command_of_its_own_says_why_it_failed(tmp_path, capfd):
    with (tmp_path / "lock").open("w") as lock:
        child.run(["instructions", "--split", "held_out"], log=tmp_path / "log.txt", hold=lock.fileno())
        assert "held_out" in (tmp_path / "log.txt").read_text()
        with pytest.raises(UserError, match=r"no verb 'fly'.*\(`mmil fly` ended with 2\)"):
            child.run(["fly"], log=tmp_path / "log.txt", hold=lock.fileno())
    assert "no verb 'fly'" in capfd.readouterr().err
