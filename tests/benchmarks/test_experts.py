"""Every skill's expert: success, length, speed and force, in no manner and in each it can be asked for.

    EPISODES=100 MANNERS=slowly,gently python -m pytest -s tests/benchmarks/test_experts.py

Prints the table of the README, and what mmil/scenes/manners.yaml holds: the medians of who was asked for no manner.
"""

import os
import sys
import time
from collections import defaultdict

import numpy as np
import pytest

from mmil.evaluation.statistics import wilson
from mmil.parallel import available_cores, run, simulation_env

EPISODES = int(os.environ.get("EPISODES", "20"))
MANNERS = [None, *filter(None, os.environ.get("MANNERS", "").split(","))]
FIRST = 1_000_000  # of the seeds, which nothing else uses
MEASURES = ("path_speed", "peak_force")
APART = 10_000  # between those of two verbs


class Course:
    """A worker's scene with every skill, and an expert for each, undisturbed."""

    def __init__(self) -> None:
        from mmil.experts import Mannered, Skilled
        from mmil.scenes import Tabletop
        from mmil.scenes.things import SHAPES

        self.skills, self.expert = every_skill(), Mannered(Skilled())
        self.scene = Tabletop(skills=self.skills, fixtures=2, shapes=tuple(SHAPES), horizon=250)

    def close(self) -> None:
        self.scene.close()


def every_skill():
    from mmil.scenes import skills

    return [getattr(skills, name)() for name in skills.__all__ if name != "Skill"]


def attempt(course: Course, task: tuple[int, int]):
    """The verb, and of each manner the outcome, steps and measures of an attempt; None where a seed cannot ask for it.

    task: which skill, and which of its seeds.
    """
    from mmil.contracts import Infeasible
    from mmil.rollout import rollout

    skill, seed = course.skills[task[0]], FIRST + APART * task[0] + task[1]
    try:
        course.scene.reset(seed)
    except Infeasible:
        return None
    goals = [goal for goal in course.scene.goals if goal.verb == skill.verb]
    if not goals:
        return None
    goal, rows = goals[np.random.default_rng(seed).integers(len(goals))], {}
    for manner in (manner for manner in MANNERS if manner is None or manner in skill.manners):
        told = {"goal": goal.done(manner), "instruction": "as you are told"}
        episode = rollout(course.scene, course.expert, seed=seed, horizon=1000, record=False, **told)
        rows[manner] = (episode.outcome, len(episode.actions), dict(episode.measures))
        if episode.outcome != "success":
            print(f"{seed} {goal.done(manner)}: {episode.outcome}", file=sys.stderr, flush=True)
    return rows


@pytest.mark.timeout(0)
def test_experts(capsys):
    from mmil.scenes.manner import plain_medians

    verbs, table, steps, began = [skill.verb for skill in every_skill()], defaultdict(list), 0, time.perf_counter()
    asked, found = np.zeros(len(verbs), int), np.zeros(len(verbs), int)
    while (missing := (EPISODES - found).clip(0)).any():
        share = (found / asked.clip(1)).clip(0.1, 1.0) if asked.any() else np.ones(len(verbs))  # of seeds that can ask
        more = np.ceil(missing / share).astype(int)
        tasks = [(number, asked[number] + i) for number, count in enumerate(more) for i in range(count)]
        asked += more
        options = {"make": Course, "workers": available_cores(), "env": simulation_env(), "patience": 600}
        for (number, _), rows in run(attempt, tasks, **options):
            found[number] += rows is not None
            for manner, row in (rows or {}).items():
                table[verbs[number], manner].append(row)
                steps += row[1]
    with capsys.disabled():
        tell(table, steps / (time.perf_counter() - began))
    assert plain_medians(), "there are none to be measured against"


def medians(rows):
    """Of those that succeeded: path speed [m/s] and peak force [N]."""
    goods = [row for row in rows if row[0] == "success"]
    return {name: float(np.median([row[2][name] for row in goods])) for name in MEASURES}


def done(measures, manner, plain):
    """Whether that is the manner, against the medians of this run."""
    from mmil.scenes.manner import GENTLE, QUICK, SLOW

    speed, force = (measures[name] / plain[name] for name in MEASURES)
    return {None: True, "slowly": speed <= SLOW, "gently": force <= GENTLE, "quickly": speed >= QUICK}[manner]


def tell(table, speed):
    plain = {verb: medians(rows) for (verb, manner), rows in table.items() if manner is None}
    print(f"\n{EPISODES} episodes a skill, {speed:.0f} steps/s without pictures, {available_cores()} workers")
    for (verb, manner), rows in sorted(table.items(), key=lambda entry: (entry[0][0], entry[0][1] or "")):
        reached = [row for row in rows if row[0] in ("success", "wrong_manner")]
        goods = [row for row in reached if done(row[2], manner, plain[verb])]
        rate = wilson(len(goods), len(rows))
        told = f"{verb} {manner}" if manner else verb
        print(
            f"| {told} | {len(goods)}/{len(rows)} | {100 * rate.low:.1f}–{100 * rate.high:.1f} % "
            f"| reached {len(reached)} | {np.median([row[1] for row in rows]):.0f} steps |"
        )
    print("\nmanners.yaml:")
    for verb, each in sorted(plain.items()):
        print(f"{verb}: {{{', '.join(f'{name}: {value:.4g}' for name, value in each.items())}}}")
