"""Quality is drawn with the episode, labelled as such, and worse in the order of its name."""

from collections import Counter

import pytest

from mmil.contracts import UserError
from mmil.experts import Graded, Lift
from mmil.rollout import rollout
from mmil.scenes import Tabletop


def test_each_quality_is_drawn_as_often_as_asked_for():
    actor, seen = Graded(Lift(), shares={"expert": 2, "sloppy": 1, "failing": 1}), Counter()
    for seed in range(400):
        actor.reset(seed)
        seen[actor.quality] += 1
    assert abs(seen["expert"] - 200) < 50 and abs(seen["sloppy"] - 100) < 40 and sum(seen.values()) == 400
    actor.reset(7)
    first = actor.quality
    actor.reset(7)
    assert actor.quality == first


def test_who_is_sloppy_strays_and_who_fails_misses():
    scene, rates = Tabletop(horizon=150), {}
    try:
        for quality in ("expert", "sloppy", "failing"):
            actor = Graded(Lift(), shares={quality: 1})
            done = [
                rollout(scene, actor, expert=Lift(), seed=seed, horizon=150, record=False) for seed in range(0, 16, 2)
            ]
            rates[quality] = sum(episode.success for episode in done)
            strayed = sum(abs(episode.actions - episode.labels).mean() for episode in done)
            assert (strayed < 1e-6) == (quality == "expert")
            assert {episode.quality for episode in done} == {quality}
    finally:
        scene.close()
    assert rates["expert"] == 8 and rates["sloppy"] >= 4 and rates["failing"] <= 1, rates


@pytest.mark.parametrize("shares", [{"perfect": 1}, {"expert": 0}, {"expert": 1, "sloppy": -1}])
def test_other_shares_are_refused(shares):
    with pytest.raises(UserError, match="there are expert, sloppy, failing"):
        Graded(Lift(), shares=shares)
