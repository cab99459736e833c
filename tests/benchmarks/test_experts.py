"""Every skill's expert: success, length, speed and force, in no manner and in each it can be asked for.

    EPISODES=100 MANNERS=slowly,gently python -m pytest -s tests/benchmarks/test_experts.py

Prints the table of the README, and what mmil/scenes/manners.yaml holds: the medians of who was asked for no manner.
"""

import os
import time
from collections import defaultdict

import numpy as np

from mmil.evaluation.statistics import wilson
from mmil.experts import Mannered, Skilled
from mmil.rollout import rollout
from mmil.scenes import Tabletop, skills
from mmil.scenes.manner import plain_medians
from mmil.scenes.things import SHAPES

EPISODES = int(os.environ.get("EPISODES", "20"))
MANNERS = [None, *filter(None, os.environ.get("MANNERS", "").split(","))]
SKILLS = [getattr(skills, name)() for name in skills.__all__ if name != "Skill"]
FIRST = 1_000_000  # of the seeds, which nothing else uses


def test_experts():
    scene = Tabletop(skills=SKILLS, fixtures=2, shapes=tuple(SHAPES), horizon=250)
    try:
        table, speed = attempts(scene)
    finally:
        scene.close()
    print(f"\n{EPISODES} episodes a skill, {speed:.0f} steps/s without pictures, one process")
    for (verb, manner), rows in table.items():
        goods = [row for row in rows if row[0] == "success"]
        reached = [row for row in rows if row[0] in ("success", "wrong_manner")]
        rate = wilson(len(goods), len(rows))
        told = f"{verb} {manner}" if manner else verb
        print(
            f"| {told} | {len(goods)}/{len(rows)} | {100 * rate.low:.1f}–{100 * rate.high:.1f} % "
            f"| reached {len(reached)} | {np.median([row[1] for row in rows]):.0f} steps |"
        )
    print("\nmanners.yaml:")
    for verb in sorted(skill.verb for skill in SKILLS):
        rows = [row for row in table[verb, None] if row[0] == "success"]
        path, force = (float(np.median([row[2][name] for row in rows])) for name in ("path_speed", "peak_force"))
        print(f"{verb}: {{path_speed: {path:.4f}, peak_force: {force:.2f}}}")
    assert plain_medians(), "there are none to be measured against"


def attempts(scene):
    """(verb, manner) → outcome, steps and measures of each attempt; and steps a second."""
    expert, table, steps, began = Mannered(Skilled()), defaultdict(list), 0, time.perf_counter()
    seed = FIRST
    while any(len(table[skill.verb, None]) < EPISODES for skill in SKILLS):
        seed += 1
        goal = scene.reset(seed).state.goal
        if len(table[goal.verb, None]) >= EPISODES:
            continue
        known = next(skill.manners for skill in SKILLS if skill.verb == goal.verb)
        for manner in (manner for manner in MANNERS if manner is None or manner in known):
            told = {"goal": goal.done(manner), "instruction": "as you are told"}
            episode = rollout(scene, expert, seed=seed, horizon=1000, record=False, **told)
            table[goal.verb, manner].append((episode.outcome, len(episode.actions), episode.measures))
            steps += len(episode.actions)
    return table, steps / (time.perf_counter() - began)
