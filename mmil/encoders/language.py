"""Sentences to tokens through any transformers text model, read at token level.

A pooled frozen sentence vector nearly hides the object word (red cube ~ green cube: cosine 0.84), so learned queries
look at the states of every word piece instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from mmil.contracts import Spec, UserError, require_number
from mmil.encoders.kept import MOST_AWAY, Kept
from mmil.encoders.sources import fingerprint
from mmil.encoders.symbols import Symbols
from mmil.encoders.text_model import cut, hidden_states, load_text_model
from mmil.encoders.tuning import train_tuned, tune
from mmil.progress import progress
from mmil.ranks import Dropout

AT_ONCE = 8  # sentences of one length a frozen model reads together, always as many: what it computes varies with it
AHEAD = 1000  # sentences that are sorted by length together


class Stored(Protocol):
    """States of sentences (P, D) as float16 that outlive a training."""

    writes: bool

    def __contains__(self, sentence: str) -> bool: ...

    def get(self, sentence: str) -> np.ndarray | None: ...

    def add(self, states: Mapping[str, np.ndarray]) -> None: ...


@dataclass(frozen=True)
class Sentence:
    """What was said, for every sample: a fixed number of tokens, and one for every word piece."""

    tokens: torch.Tensor  # (B, Q, D)
    pieces: torch.Tensor  # (B, P, D), as many as the longest has
    real: torch.Tensor  # bool (B, P), false where a shorter one was padded
    named: Mapping[str, torch.Tensor] | None = None  # of tokens that are symbols, the logarithms of their shares


class TextTokens(nn.Module):
    """`queries` tokens a sentence: learned queries attend over the word pieces' hidden states of `layers`.

    name: None for the packaged MiniLM, a local folder, or "hub:<model>". frozen: no gradient to the text model, and
    every sentence is read once; tuned_layers: but for the last ones of those that are read. pooled: no queries, and of
    all word pieces their mean alone. symbols: of each kind so many, through which all is told that the queries found
    (Symbols); 0 to tell it as it is.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        name: str | None = None,
        layers: Sequence[int] = (3, 6),
        queries: int = 4,
        width: int = 64,
        dropout: float = 0.1,
        frozen: bool = True,
        tuned_layers: int = 0,
        pooled: bool = False,
        symbols: int = 0,
        max_pieces: int = 48,
    ) -> None:
        super().__init__()
        require_number(least=1, width=width, queries=queries, max_pieces=max_pieces)
        require_number(least=0, below=1, dropout=dropout)
        self.tokenizer, self.model = load_text_model(name)
        depth = self.model.config.num_hidden_layers
        if not layers:
            raise UserError(f"layers is empty; give at least one of 0 (word pieces) to {depth}")
        wrong = [layer for layer in layers if not 0 <= layer <= depth]
        if wrong:
            raise UserError(f"no hidden layer {wrong[0]} in the text model; it has 0 (word pieces) to {depth}")
        self.layers, self.frozen, self.max_pieces = tuple(layers), frozen and not tuned_layers, max_pieces
        self.pooled, self.width, self.tokens = pooled, width, 1 if pooled else queries
        if symbols and pooled:
            raise UserError("symbols are told from what queries find, and pooled has none: leave one of them out")
        self.symbols = Symbols(queries, width, count=symbols) if symbols else None
        if self.symbols is not None:
            self.tokens = self.symbols.tokens
        self._tune(tuned_layers if frozen else None)
        size = self.model.config.hidden_size * len(self.layers)
        self.norm, self.dropout = nn.LayerNorm(size), Dropout(dropout)
        if not pooled:
            self.keys = nn.Linear(size, width)
        self.values = nn.Linear(size, width)
        if not pooled:
            self.queries = nn.Parameter(torch.randn(queries, width) / width**0.5)
        self._kept = Kept(away=MOST_AWAY)
        self.stored: Stored | None = None  # what was read of late, if it is kept anywhere

    def forward(self, sentences: Sequence[str]) -> Sentence:
        states, real = self._states(sentences)
        # one draw for all pieces of a sentence: what a dimension means is lost everywhere, and a draw a number is slow
        states = self.norm(states) * self.dropout(torch.ones_like(states[:, :1]))
        pieces = self.values(states)
        if self.pooled:
            return Sentence(pieces, pieces, real)
        scores = self.keys(states) @ self.queries.T / self.queries.shape[1] ** 0.5  # (B, pieces, queries)
        weights = scores.masked_fill(~real[..., None], float("-inf")).softmax(dim=1)
        found = weights.transpose(1, 2) @ pieces
        return Sentence(found, pieces, real) if self.symbols is None else self._in_symbols(found, real)

    def _in_symbols(self, found: torch.Tensor, real: torch.Tensor) -> Sentence:
        """A sentence of which nothing else is heard: its word pieces are its symbols."""
        tokens, named = self.symbols(found)
        return Sentence(tokens, tokens, real.new_ones(tokens.shape[:2]), named)

    def read_ahead(self, sentences: Iterable[str]) -> None:
        """Keep the frozen states of these sentences, as many as there is room for; new ones are stored, if any are."""
        if not self.frozen:
            return
        stored = () if self.stored is None else self.stored
        new = {sentence for sentence in sentences if sentence not in stored and sentence not in self._kept}
        ordered = sorted(new, key=lambda sentence: (len(sentence), sentence))
        parts = [ordered[start : start + AHEAD] for start in range(0, len(ordered), AHEAD)]
        shown = progress(parts, "reading sentences", total=len(parts), unit="thousand") if len(parts) > 1 else parts
        for part in shown:
            if self._kept.full:
                break
            self._read_apart(part)
        if self.stored is not None and self.stored.writes:
            self._store(ordered, self.stored)

    def _store(self, sentences: Sequence[str], stored: Stored) -> None:
        found = {sentence: states for sentence in sentences if (states := self._kept.get(sentence)) is not None}
        try:
            stored.add({sentence: states.cpu().numpy() for sentence, states in found.items()})
        except UserError as error:  # the next training reads them again
            warnings.warn(f"sentences are not kept: {error}", stacklevel=2)
        else:
            self._kept = Kept(away=MOST_AWAY)

    def _known(self, sentence: str) -> torch.Tensor | None:
        if self.stored is not None and (states := self.stored.get(sentence)) is not None:
            return torch.from_numpy(states)
        return self._kept.get(sentence)

    def fingerprint(self) -> dict[str, Any]:
        """What the states of a sentence follow from."""
        about = {"layers": list(self.layers), "max_pieces": self.max_pieces, "pooled": self.pooled}
        return {"sha256": fingerprint(self.model), **about}

    def train(self, mode: bool = True) -> TextTokens:
        super().train(mode)
        train_tuned(self.model, mode)
        return self

    def _tune(self, last: int | None) -> None:
        """Let the last layers of those that are read learn; None for all of them."""
        self.model.requires_grad_(last != 0)
        if last == 0:
            return
        top = max(self.layers)
        if last is not None and not 0 < last <= top:
            raise UserError(f"cannot tune the last {last} of the {top} layers that are read of the text model")
        hidden = hidden_states(self.model, cut(self.tokenizer, ["a"], most=self.max_pieces))
        tune(self.model, read=hidden[top], kept=None if last is None else hidden[top - last])

    def _states(self, sentences: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states (B, pieces, D) and which are real (B, pieces)."""
        if not self.frozen:
            return self._read(sentences)
        found = {sentence: self._known(sentence) for sentence in sentences}
        found |= self._read_apart([sentence for sentence, states in found.items() if states is None])
        device = self.values.weight.device
        rows = [states.to(device) for states in map(found.__getitem__, sentences) if states is not None]
        lengths = torch.tensor([len(row) for row in rows], device=device)
        padded = pad_sequence(rows, batch_first=True).float()
        return padded, torch.arange(padded.shape[1], device=device) < lengths[:, None]

    def _read_apart(self, sentences: Sequence[str]) -> dict[str, torch.Tensor]:
        """The frozen states of sentences, those of each length apart: what stands beside one changes nothing in it.

        As float16 with mean 0 and deviation 1, which some models' own would exceed; `norm` makes the same of both.
        """
        found, device = {}, self.values.weight.device.type
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(device, enabled=False):
            for part in self._alike(sentences):
                states, _ = self._read([*part, *[part[-1]] * (AT_ONCE - len(part))])
                halves = F.layer_norm(states, states.shape[-1:]).half()
                for sentence, row in zip(part, halves, strict=False):
                    found[sentence] = row.clone()
                    self._kept.put(sentence, found[sentence])
        return found

    def _alike(self, sentences: Sequence[str]) -> Iterator[list[str]]:
        """Up to AT_ONCE sentences of one length at a time."""
        if not sentences:
            return
        alike: dict[int, list[str]] = {}
        counts = cut(self.tokenizer, sentences, most=self.max_pieces)["attention_mask"].sum(dim=1).tolist()
        for sentence, count in zip(sentences, counts, strict=True):
            alike.setdefault(count, []).append(sentence)
        for found in alike.values():
            yield from (found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE))

    def _read(self, sentences: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        pieces = cut(self.tokenizer, sentences, most=self.max_pieces).to(self.values.weight.device)
        hidden = hidden_states(self.model, pieces)
        states, real = torch.cat([hidden[layer] for layer in self.layers], dim=-1), pieces["attention_mask"].bool()
        if not self.pooled:
            return states, real
        mean = (states * real[..., None]).sum(dim=1, keepdim=True) / real.sum(dim=1)[:, None, None]
        return mean, real[:, :1]
