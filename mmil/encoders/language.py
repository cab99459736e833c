"""Sentences to tokens through any transformers text model, read at token level.

A pooled frozen sentence vector nearly hides the object word (red cube ~ green cube: cosine 0.84), so learned queries
look at the states of every word piece instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from mmil.contracts import Spec, UserError
from mmil.encoders.sources import TEXT_PACKAGE, fingerprint, go_offline, package_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MOST_KEPT = 20_000  # sentences whose frozen states stay in memory


class TextTokens(nn.Module):
    """`queries` tokens a sentence: learned queries attend over the word pieces' hidden states of `layers`.

    name: None for the packaged MiniLM, a local folder, or "hub:<model>". frozen: no gradient to the text model, and
    every sentence is read once.
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
        max_pieces: int = 48,
    ) -> None:
        super().__init__()
        self.tokenizer, self.model = load_text_model(name)
        self.model.requires_grad_(not frozen)
        depth = self.model.config.num_hidden_layers
        wrong = [layer for layer in layers if not 0 <= layer <= depth]
        if wrong:
            raise UserError(f"no hidden layer {wrong[0]} in the text model; it has 0 (word pieces) to {depth}")
        self.layers, self.frozen, self.max_pieces = tuple(layers), frozen, max_pieces
        size = self.model.config.hidden_size * len(self.layers)
        self.norm, self.dropout = nn.LayerNorm(size), nn.Dropout(dropout)
        self.keys, self.values = nn.Linear(size, width), nn.Linear(size, width)
        self.queries = nn.Parameter(torch.randn(queries, width) / width**0.5)
        self._kept: dict[str, torch.Tensor] = {}

    def forward(self, sentences: Sequence[str]) -> torch.Tensor:
        """(B, queries, width)."""
        states, real = self._states(sentences)
        # one draw for all pieces of a sentence: what a dimension means is lost everywhere, and a draw a number is slow
        states = self.norm(states) * self.dropout(torch.ones_like(states[:, :1]))
        scores = self.keys(states) @ self.queries.T / self.queries.shape[1] ** 0.5  # (B, pieces, queries)
        weights = scores.masked_fill(~real[..., None], float("-inf")).softmax(dim=1)
        return weights.transpose(1, 2) @ self.values(states)

    def read_ahead(self, sentences: Iterable[str]) -> None:
        """Keep the frozen states of these sentences, read in an order of their own: no later reading changes them."""
        ordered = sorted(set(sentences), key=lambda sentence: (len(sentence), sentence))
        if self.frozen and ordered:
            self._kept.clear()
            self._states(ordered[:MOST_KEPT])

    def fingerprint(self) -> str:
        return fingerprint(self.model)

    def train(self, mode: bool = True) -> TextTokens:
        super().train(mode)
        if self.frozen:
            self.model.eval()
        return self

    def _states(self, sentences: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states (B, pieces, D) and which are real (B, pieces)."""
        if not self.frozen:
            return self._read(sentences)
        missing = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self._kept]
        if len(self._kept) + len(missing) > MOST_KEPT:
            self._kept.clear()
            missing = list(dict.fromkeys(sentences))
        device = self.queries.device.type
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(device, enabled=False):
            for start in range(0, len(missing), 64):
                part = missing[start : start + 64]
                states, real = self._read(part)
                self._kept.update({s: row[mask].clone() for s, row, mask in zip(part, states, real, strict=True)})
        rows = [self._kept[sentence] for sentence in sentences]
        lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
        padded = pad_sequence(rows, batch_first=True)
        return padded, torch.arange(padded.shape[1], device=padded.device) < lengths[:, None]

    def _read(self, sentences: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        pieces = self.tokenizer(
            list(sentences), padding=True, truncation=True, max_length=self.max_pieces, return_tensors="pt"
        ).to(self.queries.device)
        hidden = self.model(**pieces, output_hidden_states=True).hidden_states
        return torch.cat([hidden[layer] for layer in self.layers], dim=-1), pieces["attention_mask"].bool()


def load_text_model(name: str | None) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Tokenizer and model of a folder or, asked for as "hub:<model>", of a hub."""
    hub = name.removeprefix("hub:") if name and name.startswith("hub:") else None
    if hub is None:
        go_offline()
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # a tenth of a second needs none

    folder = package_folder(TEXT_PACKAGE) / "model" if name is None else Path(name)
    if hub is None and not (folder / "config.json").is_file():
        raise UserError(f"no text model at {folder}: it has no config.json; give a local folder or hub:<model>")
    try:
        where = hub or str(folder)
        return AutoTokenizer.from_pretrained(where), AutoModel.from_pretrained(where, trust_remote_code=False).eval()
    except (OSError, ValueError) as error:
        raise UserError(f"{hub or folder} could not be loaded ({type(error).__name__}); give a local folder") from None
