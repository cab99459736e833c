"""A sentence in symbols: what is looked for hears what a thing is called, and the verb is heard elsewhere."""

from functools import partial

import pytest
import torch

from mmil.contracts import UserError
from mmil.encoders import FilmFusion, Sizes, TextTokens
from mmil.encoders.language import Sentence
from mmil.encoders.symbols import THING, Symbols
from tests.learning import SENTENCES, SPEC

TOKEN, GRID = 8, (4, 4)


def fusion(**options) -> FilmFusion:
    torch.manual_seed(0)
    sizes = Sizes({"front": GRID}, token=TOKEN, sentence=9, others=0, aspects={"front": 1.0}, past=1, thing=len(THING))
    return FilmFusion(sizes, width=8, **{"points": 4, "questions": 2, **options})


def sentence(tokens: torch.Tensor) -> Sentence:
    return Sentence(tokens, tokens, torch.ones(tokens.shape[:2], dtype=torch.bool))


@pytest.mark.parametrize(
    ("changed", "object_moves", "target_moves"),
    [(0, True, False), (1, True, False), (3, False, True), (4, False, True), (6, False, False), (8, False, False)],
)
def test_a_look_hears_its_thing_alone(changed, object_moves, target_moves):
    policy, tokens, cells = fusion(), torch.randn(2, 9, TOKEN), torch.randn(2, 1, 16, TOKEN)
    other = tokens.clone()
    other[:, changed] += 1.0
    before, after = (policy({"front": cells}, sentence(words), signals={}) for words in (tokens, other))
    moved = [not torch.equal(before.looks["front"][:, :, point], after.looks["front"][:, :, point]) for point in (0, 1)]
    assert moved == [object_moves, target_moves]
    assert not torch.equal(before.vector, after.vector)


def test_all_that_is_heard_is_in_symbols():
    torch.manual_seed(0)
    text = TextTokens(SPEC, width=TOKEN, queries=6, symbols=16).eval()
    said = text(SENTENCES)
    assert said.tokens.shape == (3, 9, TOKEN) == (3, text.tokens, TOKEN)
    assert torch.equal(said.pieces, said.tokens) and said.real.all()
    assert {name: tuple(shares.shape) for name, shares in said.named.items()} == {
        **dict.fromkeys(("shape", "colour", "which"), (3, 2, 16)),
        **dict.fromkeys(("verb", "manner", "relation"), (3, 1, 16)),
    }
    assert torch.allclose(said.named["shape"].exp().sum(dim=2), torch.ones(3, 2))
    said.tokens.square().sum().backward()
    assert all(parameter.grad is not None for parameter in text.symbols.parameters())


def test_object_and_target_are_told_by_the_same_layers():
    torch.manual_seed(0)
    symbols, half = Symbols(4, TOKEN, count=5), torch.randn(1, 2, TOKEN)
    tokens, named = symbols(torch.cat([half, half], dim=1))
    assert torch.equal(tokens[:, : len(THING)], tokens[:, len(THING) : 2 * len(THING)])
    assert torch.equal(named["colour"][:, 0], named["colour"][:, 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(fusion, questions=1), "1 questions; a sentence in symbols has 2"),
        (partial(Symbols, 3, TOKEN, count=8), "3 queries cannot be shared by the 2 things"),
        (partial(TextTokens, SPEC, symbols=8, pooled=True), "pooled has none"),
        (partial(TextTokens, SPEC, symbols=1), "symbols"),
    ],
)
def test_what_cannot_be_told_in_symbols_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
