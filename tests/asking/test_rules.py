"""Rules want a label where it would tell something: where heads part, where nothing is known, where it went wrong."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmil.asking import Asked, Disagreement, Failure, Novelty, Rule
from mmil.asking.novelty import covering
from mmil.asking.rule import Known, threshold
from mmil.contracts import Actor, UserError
from mmil.heads import Ensemble, Regression

SIZE = 6


def known(vectors: torch.Tensor, *, labelled=None, failed=None, driven=None) -> Known:
    none = torch.zeros(len(vectors), dtype=torch.bool)
    return Known(vectors, *(none if one is None else one for one in (labelled, failed, driven)))


def test_heads_part_where_they_have_learnt_nothing():
    torch.manual_seed(0)
    head = Ensemble(SIZE, (2, 3), members=4)
    shown = torch.randn(256, SIZE) * torch.tensor([1.0, 1, 1, 0, 0, 0])  # in half of the directions
    told = torch.tanh(shown[:, None, :3].expand(-1, 2, -1))
    learner = torch.optim.Adam(head.parameters(), lr=0.003)
    for _ in range(300):
        learner.zero_grad()
        head.loss(shown, told, torch.ones(256, 2)).backward()
        learner.step()
    policy = SimpleNamespace(head=head)
    strange = torch.randn(256, SIZE) * torch.tensor([0.0, 0, 0, 2, 2, 2])
    assert Disagreement().scores(policy, strange).median() > 2 * Disagreement().scores(policy, shown).median()
    assert head.spread(shown).shape == (256,)
    with pytest.raises(UserError, match=r"a Regression; lay configs/head/ensemble\.yaml"):
        Disagreement().scores(SimpleNamespace(head=Regression(SIZE, (2, 3))), shown)


def test_what_is_done_is_a_members_own_chunk():
    torch.manual_seed(0)
    head, context = Ensemble(SIZE, (2, 3), members=3), torch.randn(8, SIZE)
    chunks = torch.stack([member.sample(context) for member in head.members], dim=1)
    done = head.sample(context)
    assert (done[:, None] == chunks).flatten(2).all(dim=2).any(dim=1).all()
    away = (chunks[:, :, None] - chunks[:, None]).abs().flatten(3).mean(dim=3).sum(dim=2)
    assert torch.equal(done, chunks[torch.arange(8), away.argmin(dim=1)])


def test_what_is_far_from_all_that_was_labelled_is_new(tmp_path):
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(300, SIZE, generator=generator)
    labelled = vectors[:, 0] < 0  # of the other half nobody has said anything
    rule = Novelty(points=64)
    rule.path = rule.learn(None, known(vectors, labelled=labelled), tmp_path / "rule")
    near, far = (rule.scores(None, vectors[some]).median() for some in (labelled, vectors[:, 0] > 1))
    assert far > 1.5 * near
    assert torch.equal(Novelty(tmp_path / "rule").scores(None, vectors), rule.scores(None, vectors))


def test_points_cover_and_are_no_more_than_there_are():
    line = torch.arange(10.0)[:, None]
    assert sorted(covering(line, 3)[:, 0].tolist())[::2] == [0, 9]
    assert len(covering(line, 50)) == 10 and len(covering(torch.zeros(5, 2), 3)) == 1


def test_where_episodes_ended_badly_is_told_from_where_they_did_not(tmp_path):
    vectors = torch.randn(400, SIZE, generator=torch.Generator().manual_seed(0))
    driven = torch.arange(400) % 4 > 0
    failed = driven & (vectors[:, 1] > 0.5)
    rule = Failure()
    assert (rule.scores(None, vectors) == 0).all()  # nothing is known yet
    rule.path = rule.learn(None, known(vectors, failed=failed, driven=driven), tmp_path / "rule")
    scores = rule.scores(None, vectors)
    assert ((scores > 0) == (vectors[:, 1] > 0.5))[~driven].float().mean() > 0.9
    few = known(vectors[:30], failed=failed[:30], driven=driven[:30])
    assert Failure().learn(None, few, tmp_path / "few") is None and not (tmp_path / "few").exists()


def test_a_file_of_another_rule_or_none_is_refused(tmp_path):
    rule = Novelty()
    with pytest.raises(UserError, match="learnt nothing yet"):
        rule.scores(None, torch.zeros(1, SIZE))
    rule.learn(None, known(torch.randn(9, SIZE), labelled=torch.ones(9, dtype=torch.bool)), tmp_path / "rule")
    with pytest.raises(UserError, match=r"holds no .*weight.*another rule"):
        Failure(tmp_path / "rule").scores(None, torch.zeros(1, SIZE))
    (tmp_path / "rule").write_bytes(b"\x80" * 40)
    with pytest.raises(UserError, match="cannot be read"):
        Novelty(tmp_path / "rule").scores(None, torch.zeros(1, SIZE))
    with pytest.raises(UserError, match="cannot be read"):
        Novelty(tmp_path / "nothing").scores(None, torch.zeros(1, SIZE))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_share_of_the_scores_lies_above_the_threshold(share):
    scores = np.random.default_rng(0).random(1000)
    above, equal = threshold(scores, share)
    assert (scores > above).mean() + equal * (scores == above).mean() == pytest.approx(share, abs=1e-3)
    assert threshold(np.zeros(50), share) == pytest.approx((0.0, share))  # where all are alike, by chance
    assert threshold(scores, 1.0)[0] < -1e20  # all, also such as were never seen


class Planner:
    """A policy's runner that plans at every third step; the context says which plan it was."""

    policy = None

    def __init__(self) -> None:
        self.steps = self.plans = 0
        self.vector = None

    def act(self) -> np.ndarray:
        if self.steps % 3 == 0:
            self.plans += 1
            self.vector = torch.tensor([[float(self.plans)]])
        self.steps += 1
        return np.zeros(2, np.float32)


class Planning(Actor):
    """A novice that is driven by such a runner."""

    def reset(self, seed: int) -> None:
        self.runner = Planner()

    def act(self, observation, state=None) -> np.ndarray:
        return self.runner.act()


class Even(Rule):
    """Wants every second plan."""

    def scores(self, policy, vectors: torch.Tensor) -> torch.Tensor:
        return 1 - vectors[:, 0] % 2


@pytest.mark.parametrize(("most", "wanted"), [(None, "000111000111"), (4, "000111000100"), (0, "000000000000")])
def test_labels_are_asked_for_from_a_plan_to_the_next_and_no_more_than_allowed(most, wanted):
    actor = Asked(Planning(), Planning(), rule=Even(), above=0.5, most=most)
    for _ in range(2):  # episodes
        actor.reset(0)
        asked = []
        for _ in range(12):
            actor.act(None)
            asked.append(actor.asks)
        assert "".join(str(int(one)) for one in asked) == wanted
    with pytest.raises(UserError, match="most is -1"):
        Asked(Planning(), Planning(), rule=Even(), above=0, most=-1)
