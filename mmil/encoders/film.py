"""Language scales and shifts what is seen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from mmil.contracts import UserError, require_number
from mmil.encoders.conditioning import film
from mmil.encoders.fusion import Context, Fusion, Sizes, mixing
from mmil.encoders.language import Sentence
from mmil.encoders.pointing import grid_places, placed, pointed
from mmil.encoders.relating import Relating
from mmil.encoders.symbols import QUESTIONS


class FilmFusion(Fusion):
    """Language scales and shifts the visual tokens (FiLM, Perez 2018), which then point at places in each picture.

    `points` softmax maps a camera give where (spatial soft-argmax, Finn 2016) and what is there; both are laid
    beside the signals, the wrench and the sentence and mixed by an MLP. marks: places a camera, of what may be asked
    for or stand beside it, that all cameras' cells compare theirs with before they are pointed at (Relating); they lie
    on the ground, which then has to be given. level: a point is also told as metres from the hand where its line of
    sight is as high as the hand: with the ground, this tells where along the line it may be, as of what is carried.
    questions: the sentence's tokens and the points are shared out among so many, and all are put to the same layers:
    who asks for a target in a second question finds it with what was learnt of all things (slots, Locatello 2020).
    Of a sentence in symbols (TextTokens) a question is told its thing's shape and colour, what is beside the marks what
    else tells it apart, and the verb is heard by the MLP alone.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        points: int = 16,
        width: int = 256,
        dropout: float = 0.0,
        ground: float | None = None,
        marks: int = 0,
        level: bool = False,
        questions: int = 1,
    ) -> None:
        super().__init__(sizes, width=width, ground=ground)
        require_number(least=1, points=points, questions=questions)
        require_number(least=0, marks=marks)
        if marks and ground is None:
            raise UserError(f"{marks} marks lie on the ground; give its height as `ground`, or no marks")
        if level and ground is None:
            raise UserError("level is told beside the ground; give its height as `ground`, or leave level out")
        if sizes.thing and questions != QUESTIONS:
            raise UserError(
                f"{questions} questions; a sentence in symbols has {QUESTIONS}, of the object and of the target"
            )
        for name, count in (
            ("points", points),
            ("tokens a sentence (`queries`)", 0 if sizes.thing else sizes.sentence),
        ):
            if count % questions:
                raise UserError(f"{count} {name} cannot be shared by {questions} questions alike")
        self.level, self.questions, self.thing, self.token = level, questions, sizes.thing, sizes.token
        language = sizes.sentence * sizes.token
        told = sizes.thing * sizes.token or language // questions  # to a question
        asked = told - sizes.token if sizes.thing else told
        self.look = nn.ModuleDict(
            {
                camera: Pointing(sizes.token, grid, language=asked, points=points // questions)
                for camera, grid in sizes.grids.items()
            }
        )
        relate = partial(Relating, sizes.token, tuple(sizes.grids), language=told, marks=marks)
        self.relate = nn.ModuleDict({camera: relate() for camera in sizes.grids} if marks else {})
        numbers = 2 + sizes.token // 4 + self.located  # a point
        read = [one for camera in sizes.grids for one in sizes.read(f"camera.{camera}", points * numbers)]
        read += [one for number in range(sizes.others) for one in sizes.read(f"other.{number}", sizes.token)]
        read.append(("sentence", language))
        read += [one for camera in sizes.grids if level for one in sizes.read(f"level.{camera}", points * 2)]
        self.columns = {"mix.0.weight": read}  # what each column reads, for whoever begins with these weights
        self.mix = mixing(sum(size for _, size in read), width, dropout=dropout)

    def forward(
        self,
        visual: Mapping[str, torch.Tensor],
        sentence: Sentence,
        *others: torch.Tensor,
        signals: Mapping[str, torch.Tensor],
    ) -> Context:
        language = sentence.tokens.flatten(1)
        located = {camera: self.locate(camera, signals) for camera in self.look}
        found = [self._found(visual, asked, located) for asked in self._asked(sentence)]
        seen = [torch.stack([one[camera][0] for one in found], dim=2) for camera in self.look]  # (B, K, questions, …)
        # the first point of every question, then their second ones
        looks = {camera: torch.stack([one[camera][1] for one in found], dim=3).flatten(2, 3) for camera in self.look}
        levels = [placed(looks[camera], self.locate_level(camera, signals)) for camera in looks if self.level]
        parts = [part.flatten(1) for part in (*seen, *others)] + [language] + [part.flatten(1) for part in levels]
        vector = self.mix(torch.cat(parts, dim=1))
        return Context(vector, looks, sentence)

    def _asked(self, sentence: Sentence) -> list[torch.Tensor]:
        """What every question is told of the sentence (B, …)."""
        if not self.thing:
            return list(sentence.tokens.flatten(1).chunk(self.questions, dim=1))
        things = sentence.tokens[:, : self.questions * self.thing]
        return [tokens.flatten(1) for tokens in things.chunk(self.questions, dim=1)]

    def _found(
        self, visual: Mapping[str, torch.Tensor], asked: torch.Tensor, located: Mapping[str, torch.Tensor | None]
    ) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """What Pointing gives of each camera for one question (B, …)."""
        named = asked[:, : -self.token] if self.thing else asked
        cells = {camera: look.asked(visual[camera], named) for camera, look in self.look.items()}
        cells = self._related(cells, asked, located)
        return {camera: look(cells[camera], located[camera]) for camera, look in self.look.items()}

    def _related(
        self, cells: dict[str, torch.Tensor], language: torch.Tensor, located: Mapping[str, torch.Tensor | None]
    ) -> dict[str, torch.Tensor]:
        """The cells, which now know where they lie beside the marks of every camera."""
        places = {camera: place for camera, place in located.items() if place is not None}
        if not self.relate:
            return cells
        every = torch.cat([relate.marks(cells[name], places[name]) for name, relate in self.relate.items()], dim=2)
        return {name: relate(cells[name], language, places[name], every) for name, relate in self.relate.items()}


class Pointing(nn.Module):
    """Where in one camera's picture the sentence's things are, and what is there.

    Where cells have a place on the ground, a point is also told as metres from the hand: a camera may stand anywhere.
    The places do not help to choose the point: “nearest to the hand” would do for “the one that was asked for”.
    """

    places: torch.Tensor  # (N, 2)

    def __init__(self, width: int, grid: tuple[int, int], *, language: int, points: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(language, 2 * width), nn.Linear(language, 2 * width)
        self.between = nn.Linear(width, width)
        self.where, self.what = nn.Linear(width, points), nn.Linear(width, width // 4)
        self.register_buffer("places", grid_places(grid), persistent=False)

    def asked(self, tokens: torch.Tensor, language: torch.Tensor) -> torch.Tensor:
        """(B, K, N, width), of as many tokens and a sentence (B, language): how each cell answers."""
        x = F.gelu(film(tokens, self.first(language)))
        return F.gelu(film(self.between(x), self.second(language)))

    def forward(self, cells: torch.Tensor, located: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, K, points · (2 + width / 4)), 2 more a point with a ground (B, K, N, 2), of cells that were asked.

        And the logarithms of the points' maps (B, K, points, N).
        """
        looks = self.where(cells).float().log_softmax(dim=2).transpose(2, 3)  # (B, K, points, N)
        return pointed(looks, self.what(cells), self.places, located), looks
