"""Any text model or text tower of transformers, read a sentence at a time or many."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from mmil.contracts import UserError
from mmil.encoders.sources import TEXT_PACKAGE, asking_hub, go_offline, package_folder

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

WANTED = "a local folder with config.json, weights and tokenizer"


def load_text_model(name: str | None) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Tokenizer and text tower of a folder or, asked for as "hub:<model>", of a hub."""
    hub = name.removeprefix("hub:") if name and name.startswith("hub:") else None
    if hub is None:
        go_offline()
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # a tenth of a second needs none

    folder = package_folder(TEXT_PACKAGE) / "model" if name is None else Path(name)
    if hub is None and not (folder / "config.json").is_file():
        raise UserError(f"no text model at {folder}: it has no config.json; give a local folder or hub:<model>")
    where = hub or str(folder)
    try:
        with asking_hub(hub, instead=f"as `name` {WANTED}") if hub else contextlib.nullcontext():
            tokenizer = AutoTokenizer.from_pretrained(where)
            model = _tower(where).float().eval()
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} could not be loaded ({type(error).__name__}); give {WANTED}") from None
    tokenizer.padding_side = "right"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token  # some were never asked to pad
    return tokenizer, model


def _tower(where: str) -> PreTrainedModel:
    """The part that reads text: the tower of a model of pictures and text (CLIP …), the encoder of a T5 or BART."""
    from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding

    config = AutoConfig.from_pretrained(where, trust_remote_code=False)
    auto = AutoModelForTextEncoding if hasattr(config, "num_decoder_layers") else AutoModel
    model = auto.from_pretrained(where, trust_remote_code=False)
    model = getattr(model, "text_model", model)
    return model.encoder if hasattr(model, "encoder") and hasattr(model, "decoder") else model


def cut(tokenizer: PreTrainedTokenizerBase, sentences: Sequence[str], *, most: int) -> BatchEncoding:
    """Word pieces of sentences, padded to the longest, at most `most` each."""
    return tokenizer(
        list(sentences),
        padding=True,
        truncation=True,
        max_length=min(most, tokenizer.model_max_length),
        return_attention_mask=True,
        return_tensors="pt",
    )


def hidden_states(model: nn.Module, pieces: BatchEncoding) -> tuple[torch.Tensor, ...]:
    """(B, P, D) a layer, the word pieces' own first."""
    known = inspect.signature(model.forward).parameters  # a tokenizer may say more than its model wants to know
    given = {name: value for name, value in pieces.items() if name in known}
    return model(**given, output_hidden_states=True).hidden_states
