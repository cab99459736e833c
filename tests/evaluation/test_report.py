"""The page: complete, self-contained, honest about what is missing, and deaf to what hostile files say."""

import html
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from mmil.contracts import Goal, Thing, Trial, UserError
from mmil.evaluation.charts import line_chart, nice_ticks, scatter
from mmil.evaluation.facts import missing
from mmil.evaluation.report import MEANING, headline, report, table
from mmil.evaluation.runs import read_run
from mmil.evaluation.sections import skill_pairs, skills
from mmil.evaluation.statistics import summarise, wilson
from mmil.evaluation.video import write_video

HOSTILE = '<script>alert("x")</script> & <img src=https://example.org/x.png onerror=alert(1)> {{ 7 * 7 }}'
SUITES = {"seen": 19, "paraphrase": 18, "camera": 16, "wrong": 17, "null": 6}
THINGS = [Thing(shape, colour) for shape in ("cube", "cylinder") for colour in ("red", "blue")]


class Page(HTMLParser):
    """What a browser would load, and the tags it would make."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads, self.tags, self.handlers = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "poster", "srcset", "data", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def trials(suite: str, successes: int, n: int = 20) -> list[Trial]:
    outcomes = ["success"] * successes + ["wrong_object", "missed", "timeout", "dropped"] * n
    goals = [Goal(verb="lift", object=THINGS[i % 4]) for i in range(n)]
    takes = [str(THINGS[i % 4]) if i < successes else "red cube" for i in range(n)]
    return [Trial(suite, goals[i], f"sentence {i}", 2 * i + 1, outcomes[i], 30 + i, takes[i]) for i in range(n)]


def write_suite(run, found: list[Trial], *, films: int = 2) -> None:
    folder = run / "evaluation" / found[0].suite
    folder.mkdir(parents=True)
    (folder / "trials.jsonl").write_text("".join(json.dumps(trial.to_json()) + "\n" for trial in found))
    (folder / "summary.json").write_text(
        json.dumps(summarise(found, seed=7, command=f"mmil evaluate {found[0].suite}"))
    )
    ramp = np.arange(4 * 16 * 16 * 3, dtype=np.uint8).reshape(4, 16, 16, 3)
    for trial in found[:films]:
        write_video(folder / "videos" / f"{trial.seed}-{trial.outcome}.mp4", {"front": ramp}, control_hz=20)


def write_run(run, suites=SUITES):
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("epochs: 20\nhead:\n  horizon: 8\n")
    (run / "data.json").write_text(json.dumps({"path": "data/quick", "episodes": 400, "goals": {"lift red cube": 7},
                                               "config": {"randomisation": {"azimuth": 14.0}}}))  # fmt: skip
    (run / "spec.json").write_text(json.dumps({"scene": "toy", "cameras": {"front": [16, 16, 3]}, "control_hz": 20}))
    (run / "train.json").write_text(json.dumps({"seconds": 240, "parameters_trained": 1234567, "finished": True}))
    (run / "metrics.csv").write_text("epoch,step,train/loss,val/loss\n0,10,0.5,\n0,10,,0.6\n1,20,0.2,\n1,20,,0.3\n")
    for suite, successes in suites.items():
        write_suite(run, trials(suite, successes))
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "quick")


@pytest.fixture(scope="module")
def page(run):
    return report([run]).read_text()


def test_page_is_one_file(page):
    parsed = Page(page)
    assert parsed.loads and all(address.startswith("data:") for address in parsed.loads)
    assert not parsed.tags & {"script", "link", "iframe", "object", "embed"} and not parsed.handlers
    assert not re.search(r"url\(|@import|https?:", page)
    assert {"video", "img", "svg"} <= parsed.tags


def test_page_says_what_was_counted(page):
    text = html.unescape(page)
    for suite, successes in SUITES.items():
        interval = wilson(successes, 20)
        assert f"<b>{suite}</b>" in text and MEANING[suite] in text
        assert f"{successes} of 20" in text
        assert f"{100 * interval.low:.1f} % to {100 * interval.high:.1f} %" in text
    assert "Follows 18 of 20 sentences it never saw [95 % interval 69.9 to 97.2 %]" in text


def test_page_tells_of_training_and_data(page):
    for words in ("train/loss", "val/loss", "1\u2009234\u2009567", "4 min 00 s", "data/quick", "randomisation.azimuth"):
        assert words in page
    assert "mmil evaluate camera" in page and "sentence 0" in page and "<polyline" in page


def test_hostile_text_stays_text(tmp_path):
    run = write_run(tmp_path / "run", suites={})
    goal = Goal(verb=HOSTILE, object=Thing(HOSTILE, HOSTILE))
    write_suite(run, [Trial("seen", goal, HOSTILE, 1, "wrong_object", 3, HOSTILE)])
    about = {"path": HOSTILE, "device": HOSTILE, "scene": HOSTILE, "cameras": {HOSTILE: [HOSTILE]}}
    nested = {"config": {HOSTILE: HOSTILE}, "goals": {HOSTILE: HOSTILE}, HOSTILE: HOSTILE}
    for name in ("data.json", "train.json", "spec.json"):
        (run / name).write_text(json.dumps({**about, **nested}))
    (run / "config.yaml").write_text(json.dumps({HOSTILE: [HOSTILE]}))
    (run / "metrics.csv").write_text('step,"train/loss<script>",train/loss\n1,2,3\n')
    text = report([run]).read_text()
    parsed = Page(text)
    assert "script" not in parsed.tags and not parsed.handlers and all(a.startswith("data:") for a in parsed.loads)
    assert html.escape(HOSTILE, quote=False).split(" {{")[0].replace('"', "&#34;") in text
    assert "{{ 7 * 7 }}" in text


def test_charts_escape_and_survive_flat_lines():
    drawing = line_chart({HOSTILE: [(1, 2.0), (2, 2.0)], "b": [(1, 2.0)]}, x_label=HOSTILE, y_label=HOSTILE)
    assert "<script" not in drawing and "<img" not in drawing and "nan" not in drawing
    assert "<script" not in scatter([(0, 0, HOSTILE)], x_label="x", y_label="y")
    assert nice_ticks(0, 10) == [0, 2, 4, 6, 8, 10] and nice_ticks(30, 1199) == [200, 400, 600, 800, 1000]


def test_missing_pieces_are_told_with_what_to_type(tmp_path):
    run = tmp_path / "fresh"
    run.mkdir()
    (run / "config.yaml").write_text("epochs: 1\n")
    text = report([run]).read_text()
    assert "Not evaluated yet" in text and f"mmil evaluate {run} --suite paraphrase" in text
    assert "Training has not finished" in text and "No data.json" in text
    assert f"mmil evaluate {run} --suite paraphrase" in table([run])


def test_films_that_are_missing_are_made_by_what_is_told(tmp_path):
    run = write_run(tmp_path / "run", suites={})
    write_suite(run, trials("seen", 19), films=0)
    told = dict(missing(read_run(run)))["No videos of suite seen."]
    assert told == f"mv {run}/evaluation/seen {run}/seen-before && mmil evaluate seen", "done suites are left out"


def test_damaged_files_become_notes(tmp_path):
    run = write_run(tmp_path / "run", suites={"seen": 19, "camera": 16})
    (run / "data.json").write_text('{"path": "da')
    (run / "metrics.csv").write_text("step,train/loss\n1,nan\n2,abc\n3\n")
    (run / "evaluation" / "seen" / "summary.json").unlink()
    with (run / "evaluation" / "seen" / "trials.jsonl").open("a") as file:
        file.write('{"suite": "seen", "goal": {"verb": "li')
    camera = run / "evaluation" / "camera"
    (camera / "summary.json").write_text(json.dumps({"n": 20, "successes": 20}))
    next((camera / "videos").glob("*.mp4")).write_bytes(b"no film")
    text = html.unescape(report([run]).read_text())
    assert "data.json of run could not be read" in text and "No losses in metrics.csv" in text
    assert "seen is unfinished" in text and "1 lines of trials.jsonl are not trials" in text
    assert "summary.json says 20/20, trials.jsonl holds 16/20" in text
    assert "cannot be played" in text and "19 of 20" in text


def test_summary_alone_is_enough(tmp_path):
    run = write_run(tmp_path / "run", suites={"seen": 19})
    (run / "evaluation" / "seen" / "trials.jsonl").unlink()
    assert "19 of 20" in report([run]).read_text()
    (run / "evaluation" / "seen" / "summary.json").write_text('{"n": 3, "successes": 5, "outcomes": {}}')
    assert "no trials to show yet" in report([run]).read_text()


def test_several_runs_are_compared_on_their_common_seeds(run, tmp_path):
    other = write_run(tmp_path / "other", suites={"seen": 9, "camera": 16})
    text = html.unescape(report([run, other], tmp_path / "both.html").read_text())
    assert "only quick 10 · only other 0" in text and "quick succeeds more often" in text
    assert "0.00195" in text  # 2 / 2¹⁰
    assert "no clear difference" in text and "not evaluated" in text


def test_common_seeds_that_ask_for_another_goal_are_told_and_not_paired(run, tmp_path):
    other = write_run(tmp_path / "other", suites={})
    asked = Goal("lift", Thing("ball", "green"))
    write_suite(other, [replace(t, goal=asked) if t.seed < 7 else t for t in trials("seen", 19)], films=0)
    told = "seen: 3 of 20 common seeds ask quick and other for different goals and are not paired"
    assert told in html.unescape(report([run, other], tmp_path / "both.html").read_text())
    lines = [" ".join(line.split()) for line in table([run, other]).splitlines()]
    assert told in lines and any(line.startswith("seen all") and line.endswith("n = 17") for line in lines)


def test_what_is_no_run_is_refused(tmp_path):
    for given, reason in (
        ([tmp_path], "not a run folder"),
        ([tmp_path / "none"], "no run folder"),
        ([], "no run folder"),
    ):
        with pytest.raises(UserError, match=reason):
            report(given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["config.yaml", "notes", "new.txt"])
def test_a_page_never_takes_the_place_of_another_file(run, tmp_path, name):
    for there in ("config.yaml", "notes"):
        (tmp_path / there).write_text("mine")
    with pytest.raises(UserError, match=r"ends in \.html, or a folder"):
        report([run], tmp_path / name)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"mine"}


def test_a_page_goes_into_a_folder_or_to_a_name_of_its_own(run, tmp_path):
    (tmp_path / "v1.2").mkdir()
    for given, place in (("new", "new/report.html"), ("v1.2", "v1.2/report.html"), ("a/b.html", "a/b.html")):
        assert report([run], tmp_path / given) == tmp_path / place and (tmp_path / place).is_file()
    assert report([run], tmp_path / "a/b.html").is_file()  # again
    assert report([run, run], tmp_path / "new").name == "comparison.html"


def test_headline_keeps_to_what_was_asked(run, tmp_path):
    assert headline(read_run(run)).startswith("Follows 18 of 20 sentences it never saw")
    own = write_run(tmp_path / "own", suites={})
    same = [
        Trial("paraphrase", t.goal, "always this", t.seed, t.outcome, t.steps, t.taken)
        for t in trials("paraphrase", 18)
    ]
    write_suite(own, same)
    assert headline(read_run(own)).startswith("Follows sentences it never saw in 18 of 20 trials")


def test_table_is_plain_text(run):
    lines = table([run]).splitlines()
    assert lines[0].split() == ["suite", "n", "success", "95", "%", "interval", "wrong", "object"]
    assert lines[2].split() == ["seen", "20", "95.0", "%", "[76.4,", "99.1]", "5.0", "%"]
    assert len({len(line) for line in lines}) == 1
    assert "other" not in lines[0] and table([run, run]).splitlines()[0].startswith("run")


def test_report_needs_neither_torch_nor_simulator():
    code = (
        "import sys, mmil.evaluation.report; sys.exit(any(m in sys.modules for m in ('torch', 'mujoco', 'robosuite')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def skilled(suite: str, *, fail: str = "", n: int = 40, **more) -> list[Trial]:
    """Trials of two verbs; those of `fail` all end badly."""
    verbs = ("insert", "lift")
    return [
        Trial(suite, Goal(verbs[i % 2], THINGS[i % 4]), "say", 2 * i + 1,
              "missed" if verbs[i % 2] == fail else "success", 30, None, **more) for i in range(n)
    ]  # fmt: skip


def test_skills_and_listening_have_their_place(tmp_path):
    run = write_run(tmp_path / "run", suites={"null": 6})
    seen = skilled("seen", fail="insert")
    write_suite(run, seen, films=0)
    wrong = [replace(t, suite="wrong", goal=Goal("touch", THINGS[0]), drawn=t.goal, drawn_reached=False) for t in seen]
    write_suite(run, wrong, films=0)
    text = html.unescape(report([run]).read_text())
    assert "<h2>Skills</h2>" in text and "0/20" in text and "20/20" in text
    assert "100.0 % · 20/20" in text and "but wrong, which has the layouts of seen" in text
    assert "told another one: +50.0 points [+32.8, +64.8]" in " ".join(text.split())
    lines = " ".join(table([run]).split())
    assert "skill seen wrong" in lines and "insert 0/20 [0, 16] –" in lines and "lift 20/20 [84, 100] –" in lines
    assert "listening: its own sentence against another goal's +50.0 points" in lines


def test_runs_are_compared_skill_by_skill(tmp_path):
    one, other = tmp_path / "with", tmp_path / "without"
    write_suite(write_run(one, suites={}), skilled("seen"), films=0)
    write_suite(write_run(other, suites={}), skilled("seen", fail="insert"), films=0)
    text = html.unescape(report([one, other], tmp_path / "both.html").read_text())
    assert "Skill by skill" in text and "+100.0" in text and "1.91e-06" in text  # 2 / 2²⁰
    lines = [" ".join(line.split()) for line in table([one, other]).splitlines()]
    assert "seen all +50.0 points [+32.8, +64.8], p = 1.9e-06, n = 40" in lines
    assert "all suites insert +100.0 points [+77.2, +100.0], p = 1.9e-06, n = 20" in lines
    assert "all suites lift +0.0 points [-16.1, +16.1], p = 1, n = 20" in lines


def test_layouts_that_two_suites_share_count_once(tmp_path):
    one, other = write_run(tmp_path / "with", suites={}), write_run(tmp_path / "without", suites={})
    for place, fail in ((one, ""), (other, "insert")):
        write_suite(place, skilled("seen", fail=fail), films=0)
        write_suite(place, skilled("wrong", fail=fail), films=0)
        write_suite(place, [replace(t, seed=t.seed + 1000) for t in skilled("camera", fail=fail)], films=0)
    rows = {(row["suite"], row["verb"]): row["result"] for row in skill_pairs(read_run(one), read_run(other))}
    assert rows["all suites", "insert"].n == 40 and rows["wrong", "insert"].n == 20
    told = "all suites but wrong, which has the layouts of seen"
    assert table([one, other]).splitlines()[-1] == told
    assert "so without wrong, which has the layouts of seen" in report([one, other], tmp_path / "both.html").read_text()
    assert [row["all"].success.n for row in skills(read_run(one))["rows"]] == [40, 40]


def test_an_altered_suite_is_named_and_counts_for_nothing(tmp_path):
    run = write_run(tmp_path / "run", suites={})
    write_suite(run, skilled("seen"), films=0)
    bad = skilled("seen-without-wrist", fail="lift")
    write_suite(run, bad, films=0)
    place = run / "evaluation" / "seen-without-wrist" / "summary.json"
    place.write_text(json.dumps({**summarise(bad), "altered": {"input": "wrist", "how": "drop"}}))
    text = html.unescape(report([run]).read_text())
    assert "wrist: grey pictures, the mean of training, no sentence" in text
    assert "100.0 % · 20/20" in text and "Every failed trial" not in text
