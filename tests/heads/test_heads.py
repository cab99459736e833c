"""What every head of mmil.heads keeps to; those that can choose turn left or right and never go straight."""

import inspect
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file

import mmil.heads
from mmil.contracts import UserError
from mmil.heads import Diffusion, Flow, Head, Mixture, Regression

KINDS = [kind for kind in vars(mmil.heads).values() if inspect.isclass(kind) and not inspect.isabstract(kind)]
VARIANTS = {
    "Mixture of one": partial(Mixture, modes=1),
    "Regression by L2": partial(Regression, norm="l2"),
    "Diffusion by noise": partial(Diffusion, predicts="epsilon"),
    "Flow by velocity": partial(Flow, predicts="velocity"),
}
HEADS = {kind.__name__: kind for kind in KINDS} | VARIANTS
CHOOSERS = [name for name in HEADS if not name.startswith("Regression") and name != "Mixture of one"]
SIZE, CHUNK = 6, (4, 3)

STEPS = 400  # of fit(), enough for each of them

every_head = pytest.mark.parametrize("make", HEADS.values(), ids=HEADS.keys())


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_every_exported_head_is_found():
    assert {Diffusion, Flow, Mixture, Regression} <= set(KINDS) and all(issubclass(kind, Head) for kind in KINDS)


@every_head
def test_samples_are_chunks_in_range(make):
    head, context = make(SIZE, CHUNK), torch.randn(5, SIZE)
    assert head.sample(100 * context).shape == (5, *CHUNK)
    assert head.sample(100 * context).abs().max() <= 1
    assert make(SIZE, (1, 1)).sample(context).shape == (5, 1, 1)


@every_head
@pytest.mark.parametrize("there", [0.5, 1e30, float("nan")])
def test_what_is_not_valid_changes_neither_loss_nor_gradient(make, there):
    head, context = make(SIZE, CHUNK), torch.randn(5, SIZE)
    actions, valid = torch.rand(5, *CHUNK), torch.rand(5, CHUNK[0]) < 0.6
    valid[3] = False  # a window in which nothing is imitated
    other = torch.where(valid[..., None], actions, there)
    before, gradients = learnt(head, context, actions, valid)
    after, same = learnt(head, context, other, valid)
    assert before == after > 0 and all(torch.equal(*pair) for pair in zip(gradients, same, strict=True))


@every_head
def test_where_nothing_is_valid_nothing_is_learnt(make):
    nothing, gradients = learnt(
        make(SIZE, CHUNK), torch.randn(5, SIZE), torch.rand(5, *CHUNK), torch.zeros(5, CHUNK[0], dtype=torch.bool)
    )
    assert nothing == 0 and all((gradient == 0).all() for gradient in gradients)


@every_head
def test_what_is_valid_counts(make):
    head, context, valid = make(SIZE, CHUNK), torch.randn(5, SIZE), torch.ones(5, CHUNK[0], dtype=torch.bool)
    actions = torch.rand(5, *CHUNK)
    before, _ = learnt(head, context, actions, valid)
    actions[4, -1] -= 0.5
    assert learnt(head, context, actions, valid)[0] != before


@every_head
def test_windows_may_count_more_or_less(make):
    head, context, actions = make(SIZE, CHUNK), torch.randn(5, SIZE), torch.rand(5, *CHUNK)
    valid = torch.rand(5, CHUNK[0]) < 0.6
    plain, _ = learnt(head, context, actions, valid)
    assert torch.allclose(learnt(head, context, actions, valid * 0.01)[0], plain, rtol=1e-3)  # all alike
    assert not torch.allclose(learnt(head, context, actions, valid * torch.linspace(0, 1, 5)[:, None])[0], plain)


@every_head
def test_the_gradient_reaches_everything_and_the_context(make):
    head, context = make(SIZE, CHUNK), torch.randn(5, SIZE, requires_grad=True)
    _, gradients = learnt(head, context, torch.rand(5, *CHUNK), torch.ones(5, CHUNK[0], dtype=torch.bool))
    names = [name for name, value in head.named_parameters() if value.requires_grad]  # a shift is not cloned
    still = {name for name, gradient in zip(names, gradients, strict=True) if not gradient.abs().sum() > 0}
    # the weight of an only mode is 1, whatever is learnt
    assert still == ({"likely.weight", "likely.bias"} if getattr(head, "modes", 0) == 1 else set())
    assert context.grad.abs().sum() > 0


@every_head
def test_it_overfits_one_batch(make):
    head, context, actions = small(make), torch.randn(6, SIZE), torch.rand(6, *CHUNK) * 1.6 - 0.8
    first = mean_loss(head, context, actions)
    fit(head, context, actions)
    assert mean_loss(head, context, actions) < 0.25 * first
    assert (head.sample(context) - actions).abs().mean() < 0.1  # 0.37 of zeros


@every_head
def test_the_same_seed_gives_the_same_samples_also_after_a_file(make, tmp_path):
    head, context = make(SIZE, CHUNK), torch.randn(3, SIZE)
    before = seeded(head, context)
    assert torch.equal(seeded(head, context), before)
    save_file(head.state_dict(), tmp_path / "head.safetensors")
    torch.manual_seed(9)
    again = make(SIZE, CHUNK)
    assert not torch.equal(seeded(again, context), before)
    again.load_state_dict(load_file(tmp_path / "head.safetensors"))
    assert torch.equal(seeded(again, context), before)


@every_head
@pytest.mark.parametrize("chunk", [CHUNK, (8, 7)])  # torch draws 16 numbers and more in another way
def test_a_sample_does_not_depend_on_those_beside_it(make, chunk):
    head, context = make(SIZE, chunk), torch.randn(5, SIZE)
    together = seeded(head, context)
    assert torch.allclose(seeded(head, context[:1]), together[:1], atol=1e-5)
    other = torch.cat([context[:4], context[:1] + 9])
    assert torch.allclose(seeded(head, other)[:4], together[:4], atol=1e-5)


@pytest.mark.parametrize("name", CHOOSERS)
def test_it_turns_left_or_right(name):
    found = of_two_ways(small(HEADS[name]))
    assert (found.abs() < 0.5).flatten(1).any(dim=1).float().mean() < 0.1
    assert (found.sign() == found.sign()[:, :1, :1]).flatten(1).all(dim=1).float().mean() > 0.95  # no chunk turns twice
    if name not in ("Mixture", "Ensemble", "Corrected"):  # which do the likeliest, or what most of them do
        assert 0.35 < (found[:, 0, 0] > 0).float().mean() < 0.65  # as often as it was shown


def test_a_regression_goes_straight():
    assert of_two_ways(small(HEADS["Regression by L2"])).abs().median() < 0.3


@pytest.mark.parametrize("make", [Diffusion, Flow])
def test_a_few_steps_do_what_many_do(make):
    head, context, actions = small(make), torch.randn(6, SIZE), torch.rand(6, *CHUNK) * 1.6 - 0.8
    fit(head, context, actions)
    few = seeded(head, context)
    head.steps = 64
    assert (few - seeded(head, context)).abs().mean() < 0.05


@pytest.mark.parametrize("make", [Diffusion, Flow])
@pytest.mark.parametrize("option", ["steps", "draws"])
def test_no_steps_make_no_chunk(make, option):
    with pytest.raises(UserError, match=f"{option} is 0; it must be at least 1"):
        make(SIZE, CHUNK, **{option: 0})


@pytest.mark.parametrize("norm, expected", [("l1", 2.0), ("l2", 4.0)])
def test_loss_norms(norm, expected):
    head = zeroed(Regression(SIZE, CHUNK, norm=norm))
    assert loss_of_twos(head) == pytest.approx(expected)


def test_a_mixture_of_one_is_a_regression():
    assert loss_of_twos(zeroed(Mixture(SIZE, CHUNK, modes=1))) == pytest.approx(2.0)
    assert loss_of_twos(zeroed(Mixture(SIZE, CHUNK, modes=5))) == pytest.approx(2.0)  # of equal ones too


def small(make) -> Head:
    """Of few numbers where it offers that, to learn in a second."""
    options = inspect.signature(make).parameters.values()
    offered = any(option.name == "width" or option.kind is option.VAR_KEYWORD for option in options)  # or handed on
    return make(SIZE, CHUNK, **({"width": 64} if offered else {}))


def of_two_ways(head) -> torch.Tensor:
    """Samples, after it was shown chunks that turn left and chunks that turn right where nothing tells which."""
    sides = torch.where(torch.rand(64, 1, 1) < 0.5, -0.8, 0.8).expand(64, *CHUNK)
    fit(head, torch.zeros(64, SIZE), sides)
    with torch.no_grad():
        return head.sample(torch.zeros(256, SIZE))


def fit(head, context, actions) -> None:
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    valid = torch.ones(actions.shape[:2], dtype=torch.bool)
    for _ in range(STEPS):
        optimizer.zero_grad()
        head.loss(context, actions, valid).backward()
        optimizer.step()
        schedule.step()


def learnt(head, context, actions, valid) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The loss under one seed, and the gradient of every parameter."""
    torch.manual_seed(1)
    head.zero_grad()
    loss = head.loss(context, actions, valid)
    loss.backward()
    gradients = [p.grad for p in head.parameters() if p.requires_grad]
    return loss.detach(), [torch.zeros(1) if one is None else one.clone() for one in gradients]


@torch.no_grad()
def mean_loss(head, context, actions) -> float:
    """Over several draws of what is random in it."""
    valid = torch.ones(actions.shape[:2], dtype=torch.bool)
    return sum(head.loss(context, actions, valid).item() for _ in range(20)) / 20


@torch.no_grad()
def seeded(head, context) -> torch.Tensor:
    torch.manual_seed(7)
    return head.sample(context)


def zeroed(head):
    for parameter in head.parameters():
        torch.nn.init.zeros_(parameter)
    return head


def loss_of_twos(head) -> float:
    valid = torch.ones(1, CHUNK[0], dtype=torch.bool)
    return head.loss(torch.zeros(1, SIZE), torch.full((1, *CHUNK), 2.0), valid).item()
