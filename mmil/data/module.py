"""WindowData: a data set on disk as batches of windows, from images or from cached features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal
from weakref import WeakSet

from lightning import LightningDataModule
from torch.utils.data import DataLoader

from mmil.contracts import VISITED, Batch, Goal, Spec, UserError, require_known, stream_of
from mmil.data.augment import Transform, augment_batch
from mmil.data.balance import Balance
from mmil.data.cache import open_features
from mmil.data.chosen import Chosen, require_least, shared_batch
from mmil.data.dataset import Dataset
from mmil.data.features import FeatureWindows, Order
from mmil.data.joined import joined
from mmil.data.layout import Layout, window_bytes
from mmil.data.loader import WindowLoader
from mmil.data.ring import Ring
from mmil.data.sentences import Rephrase, drawn, number, read_sentences
from mmil.data.shards import Row
from mmil.data.stats import Stats, compute
from mmil.data.stream import Clock, Stream, useful_workers
from mmil.data.views import Views
from mmil.data.windows import Cut

Dealt = dict[str, Any]  # which batches fall to this process, as Stream and Order are told it


class WindowData(LightningDataModule):
    """Windows of a data set, shuffled anew each epoch. The same seed, epoch and number of workers: the same batches.

    Processes that train together share the windows and every batch. From cached features, their batches are together
    that of one process alone; from images, each trains on its own shards, and another number of them is another order.

    Args:
        path: the data set
        more: others of the same Spec, read as one with it
        cache: their features (write_features), one for each, to be read in place of images
        batch_size: windows of a step, of all processes together
        past: K, observations of a window
        first: the episode's first observation beside them
        future: H, actions of a window
        stride: a window at every n-th t
        target: learn the expert's labels or what was executed
        workers: that read in each process, 0 reads in itself (2 for images, 0 for cached features, which take longer to
            hand over than to read)
        shuffle_buffer: encoded windows that each worker mixes; cached ones are mixed as a whole
        resampled: draw shards with replacement, for fewer shards than ranks
        validation: the share of episodes held out, chosen by their keys
        qualities: of the demonstrations to read, as [expert, sloppy] (all)
        episodes: the first so many of those to train on by their keys, so that fewer are a part of more, and no
            sentences of other goals than theirs (all)
        resample_sentences: at each reading of a training window, another sentence of its goal, or one that refers to
            its scene where the episode has such
        phrasings: of each goal, so many sentences that the seed draws, more of a verb with few goals, and those that
            were recorded (all); a frozen text model reads every sentence once
        others: the share of training windows told another goal of their scene instead, in which nothing is imitated
        balance: 0 reads every training window once an epoch, 1 every skill equally often, see Balance
        balance_episodes: 0 reads every training window once an epoch, 1 every episode of a skill equally often
        weights: quality → how much its demonstrations count in imitation, unnamed ones 1; what is held
            out counts alike
        maps: [depth] gives depth too
        augment: for training images, on the device, or, with cached features, what makes the further of their views
        views: of every picture in the cached features, one of which is drawn at each reading
        seed: of the order of windows and of all that is drawn
    """

    def __init__(
        self,
        *,
        path: Path,
        more: Sequence[Path] = (),
        cache: Path | Sequence[Path] | None = None,
        batch_size: int = 128,
        past: int = 1,
        first: bool = False,
        future: int = 8,
        stride: int = 1,
        target: Literal["labels", "actions"] = "labels",
        workers: int | None = None,
        shuffle_buffer: int = 2000,
        resampled: bool = False,
        validation: float = 0.05,
        qualities: Sequence[str] | None = None,
        episodes: int | None = None,
        resample_sentences: bool = True,
        phrasings: int | None = None,
        others: float = 0.0,
        balance: float = 0.0,
        balance_episodes: float = 0.0,
        weights: Mapping[str, float] | None = None,
        maps: Sequence[Literal["depth"]] = (),
        augment: Sequence[Transform] = (),
        views: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self._told_workers = workers is not None
        workers = (0 if cache else 2) if workers is None else workers
        require_least(batch_size=(batch_size, 1), workers=(workers, 0), shuffle_buffer=(shuffle_buffer, 0))
        require_least(phrasings=(phrasings, 1))
        if not 0 <= others < 1 or (others and not resample_sentences):
            raise UserError(f"others is {others}; it is a share of windows below 1, and needs resample_sentences")
        if cache and augment and views == 1:
            raise UserError("cached features cannot be augmented: leave out cache or augment, or cache several views")
        self.cut = Cut(past=past, first=first, future=future, stride=stride, target=target, weights=dict(weights or {}))
        self._balance = partial(Balance, skills=balance, episodes=balance_episodes, seed=seed)
        self._balance(rows=(), windows=())  # refused now if at all
        self.path, self.paths = Path(path), tuple(Path(one) for one in (path, *more))
        self.caches = () if cache is None else (cache,) if isinstance(cache, Path) else tuple(cache)
        self.batch_size, self.workers = batch_size, workers
        self.chosen = Chosen(validation=validation, qualities=qualities, episodes=episodes)
        self.shuffle_buffer, self.resampled = shuffle_buffer, resampled
        self.resample_sentences, self.others, self.phrasings = resample_sentences, others, phrasings
        self.streams, self.seed = tuple(maps), seed
        self.views = Views(count=views, transforms=tuple(augment), seed=seed)
        self.make: Callable[[], object] | None = None  # what writes the cache, where it may be missing
        self._loaders: WeakSet[WindowLoader] = WeakSet()
        self._epoch, self.prepare_data_per_node = 0, False  # the next epoch; one process prepares for all nodes

    def read_from(self, caches: Sequence[Path], *, make: Callable[[], object]) -> None:
        """Read cached features from there, one for each data set, written by `make` where they may be missing."""
        self.caches, self.make = tuple(caches), make
        if not self._told_workers:
            self.workers = 0

    def prepare_data(self) -> None:
        """Write the caches, in the first process; the others wait."""
        if self.make is not None:
            self.make()

    def setup(self, stage: str | None = None) -> None:
        """Open the data set; cheap, and again does nothing."""
        _ = self.maps
        require_known("quality", self.cut.weights, {row.quality for row in self.dataset.rows}, where="to weigh")
        if self.cut.target == "actions" and any(row.quality == VISITED for row in self.training_rows):
            raise UserError(f"{self.path}: a policy drove in episodes of quality {VISITED}: learn from their labels")
        if not self.training_rows:
            raise UserError(f"{self.path}: nothing to train on; {len(self.held_out_rows)} episodes are for validation")
        if not any(self.cut.times(row) for row in self.training_rows):
            raise UserError(f"{self.path}: no step that would be read is labelled; there is nothing to learn")

    @cached_property
    def dataset(self) -> Dataset:
        """All that is read, as one."""
        return joined(self.datasets)

    @cached_property
    def datasets(self) -> list[Dataset]:
        """The data set, and each of those read with it."""
        return [Dataset.open(path) for path in self.paths]

    @cached_property
    def features(self) -> Dataset | None:
        """The caches as one, once each is known to be of its data set."""
        if not self.caches:
            return None
        pairs = zip(self.caches, self.datasets, strict=True)
        return joined([open_features(cache, source=dataset) for cache, dataset in pairs])

    @property
    def spec(self) -> Spec:
        return self.dataset.spec

    @cached_property
    def sentences(self) -> dict[Goal, tuple[str, ...]]:
        """Every goal that is asked for in what is read with the sentences that its windows may be told."""
        asked = None if self.chosen.episodes is None else {row.goal for row in self.training_rows}
        spoken = {row.instruction for row in self.training_rows}  # these are nobody's but their goal's: they stay
        every = read_sentences(self.dataset.manifest, of=asked)
        return drawn(every, self.phrasings, keep=spoken, seed=self.seed)

    @cached_property
    def bound(self) -> list[str]:
        """Sentences of training's episodes that are true in their scene alone, and so no goal's."""
        said = {goal: frozenset(sentences) for goal, sentences in self.sentences.items()}
        told = ((row.goal, sentence) for row in self.training_rows for sentence in (row.instruction, *row.references))
        return [sentence for goal, sentence in told if sentence not in said.get(goal, ())]

    @cached_property
    def stats(self) -> Stats:
        """Of the training episodes; computed when first asked for."""
        return compute(self.dataset, rows=self.training_rows)

    @property
    def training_rows(self) -> list[Row]:
        return self.chosen.rows(self.dataset, training=True, of=self.path)

    @property
    def held_out_rows(self) -> list[Row]:
        return self.chosen.rows(self.dataset, training=False, of=self.path)

    @cached_property
    def balance(self) -> Balance:
        """How often which training window is read."""
        return self._balanced(self.training_rows)

    @cached_property
    def maps(self) -> tuple[str, ...]:
        """The maps that are read, of every camera."""
        names = tuple(name for name in self.spec.maps if stream_of(name) in self.streams)
        if self.streams and not names:
            raise UserError(f"{self.path} has no {self.streams[0]}; its maps: {', '.join(self.spec.maps) or 'none'}")
        return names

    def train_dataloader(self) -> WindowLoader:
        return self._loader(training=True)

    def val_dataloader(self) -> WindowLoader | list[Any]:
        return self._loader(training=False) if self.held_out_rows else []

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment what the cameras of a training batch show, where the training runs."""
        if self.views.transforms and not self.caches and self.trainer is not None and self.trainer.training:
            seed = number(self.seed, "augment", self.trainer.global_rank, self.trainer.global_step)
            augment_batch(batch, self.views.transforms, seed=seed)
        return batch

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self._epoch}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self._epoch = state_dict["epoch"]

    def teardown(self, stage: str | None = None) -> None:
        """End the workers."""
        while self._loaders:
            self._loaders.pop().close()

    def _balanced(self, rows: Sequence[Row]) -> Balance:
        return self._balance(rows=rows, windows=[len(self.cut.times(row)) for row in rows])

    def _loader(self, *, training: bool) -> WindowLoader:
        rows = self.chosen.rows(self.features or self.dataset, training=training, of=self.path)
        workers = self._useful_workers(rows, training=training)
        rephrase = None
        if training and self.resample_sentences:
            rephrase = Rephrase(sentences=self.sentences, others=self.others, seed=self.seed)
        share = shared_batch(self.batch_size, self._ranks())
        layout = Layout.of(self.features.manifest) if self.features else None
        size = share * window_bytes(self.spec, cut=self.cut, maps=self.maps, layout=layout)
        clock, ring = Clock(), Ring(workers=workers, size=size)
        dealt = {"batch_size": share, "clock": clock, "seed": self.seed, "rank": self._rank(), "ranks": self._ranks()}
        dealt["balance"] = self._balanced(rows) if training else None
        read = self._feature_loader if self.features else self._image_loader
        loader = read(rows, dealt, training=training, rephrase=rephrase, workers=workers, ring=ring)
        windows = sum(len(self.cut.times(row)) for row in rows)
        length = max(1, windows // self.batch_size) if training else -(-windows // self.batch_size)
        begin = self._begin_epoch if training else lambda: 0
        found = WindowLoader(loader, clock=clock, ring=ring, length=length, batch_size=share, begin=begin)
        self._loaders.add(found)
        return found

    def _image_loader(
        self, rows: Sequence[Row], dealt: Dealt, *, training: bool, rephrase: Rephrase | None, workers: int, ring: Ring
    ) -> DataLoader:
        return Stream(
            folder=self.path,
            rows=rows,
            spec=self.spec,
            cut=self.cut,
            maps=self.maps,
            shuffle_buffer=self.shuffle_buffer if training else 0,
            resampled=self.resampled and training,
            rephrase=rephrase,
            evenly=not training,
            ring=ring,
            **dealt,
        ).loader(workers)

    def _feature_loader(
        self, rows: Sequence[Row], dealt: Dealt, *, training: bool, rephrase: Rephrase | None, workers: int, ring: Ring
    ) -> DataLoader:
        assert self.features is not None
        drawn: dict[str, Any] = {"maps": self.maps, "seed": self.seed if training else None, "views": self.views}
        windows = FeatureWindows(self.features, rows, cut=self.cut, clock=dealt["clock"], rephrase=rephrase, **drawn)
        return windows.loader(Order(windows=len(windows), shuffled=training, **dealt), ring=ring, workers=workers)

    def _useful_workers(self, rows: Sequence[Row], *, training: bool) -> int:
        """Those held out each rank reads whole, for its share of every episode."""
        if self.features or (self.resampled and training):
            return self.workers
        ranks, told = (self._ranks(), self._told_workers) if training else (1, False)
        return useful_workers(rows, wanted=self.workers, ranks=ranks, told=told, of=self.path)

    def _begin_epoch(self) -> int:
        """The trainer's epoch, or the one after the last where nobody else counts."""
        epoch = self._epoch if self.trainer is None else self.trainer.current_epoch
        self._epoch = epoch + 1
        return epoch

    def _rank(self) -> int:
        return 0 if self.trainer is None else self.trainer.global_rank

    def _ranks(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size
