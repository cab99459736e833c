"""The data module: every window once an epoch, an order that follows from the seed, the same from images and cache."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch

from mmil.contracts import UserError
from mmil.data import cache as cache_room
from mmil.data import ring
from mmil.data.augment import Shift
from mmil.data.cache import open_features, write_features
from mmil.data.chosen import held_out
from mmil.data.dataset import MANIFEST, Dataset
from mmil.data.module import WindowData
from mmil.data.ring import SLOTS, Parcel, Ring
from mmil.data.sentences import FEW
from mmil.data.stream import Stream
from mmil.data.windows import Cut

PRINT = {"encoder": "mean", "sha256": "00"}


@pytest.fixture(scope="module")
def features(counting, mean_features, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("features")
    write_features(counting.path, out, mean_features, fingerprint=PRINT)
    return out


def data(counting, **options) -> WindowData:
    module = WindowData(**{"path": counting.path, "batch_size": 8, "workers": 0, "future": 4, **options})
    module.setup()
    return module


def seen(loader) -> list[int]:
    """Which windows came, in order: 100 · episode + t."""
    return [int(number) for batch in loader for number in batch.signals["gripper_pos"][:, -1]]


def every(rows) -> list[int]:
    return sorted(100 * row.index + t for row in rows for t in range(row.steps))


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_gives_each_window_once_in_the_order_of_its_seed(counting, features, cached, workers):
    options = {"workers": workers, "cache": features if cached else None, "validation": 0.2, "shuffle_buffer": 50}
    module = data(counting, **options)
    loader = module.train_dataloader()
    epochs = [seen(loader) for _ in range(3)]  # by persistent workers
    assert len(loader) * 8 == len(epochs[0])
    assert len(set(epochs[0])) == len(epochs[0]) and set(epochs[0]) <= set(every(module.training_rows))
    assert len(every(module.training_rows)) - len(epochs[0]) < 8
    assert epochs[0] != epochs[1] != epochs[2]
    resumed = data(counting, **options)
    resumed.load_state_dict({"epoch": 1})
    loader = resumed.train_dataloader()
    assert [seen(loader), seen(loader)] == epochs[1:]
    assert resumed.state_dict() == {"epoch": 3} == module.state_dict()
    assert seen(data(counting, **{**options, "seed": 1}).train_dataloader()) != epochs[0]
    assert sorted(seen(module.val_dataloader())) == every(module.held_out_rows)


@pytest.mark.parametrize("cached", [False, True])
def test_batches_arrive_from_a_worker_as_they_were_made(counting, features, cached):
    options = {"cache": features if cached else None, "validation": 0.9, "past": 2, "batch_size": 4}
    here, there = (data(counting, workers=workers, **options).val_dataloader() for workers in (0, 1))
    there = list(there)  # all kept: none may be overwritten by those that come later
    assert len(there) == len(here) > SLOTS
    for one, two in zip(here, there, strict=True):
        assert one.instruction == two.instruction and torch.equal(one.valid, two.valid)
        assert torch.equal(one.actions, two.actions)
        assert all(torch.equal(one.signals[name], two.signals[name]) for name in one.signals)
        for camera in one.images:
            pairs = zip(one.images[camera], two.images[camera], strict=True)
            assert all(torch.equal(mine, yours) for mine, yours in pairs)


def test_a_ring_gives_way_where_it_cannot_serve(counting, monkeypatch):
    batch = next(iter(data(counting, validation=0).train_dataloader()))
    assert Ring(workers=1, size=1 << 16).pack(batch) is batch  # no worker
    monkeypatch.setattr(ring, "get_worker_info", lambda: SimpleNamespace(id=0))
    assert Ring(workers=1, size=1 << 10).pack(batch) is batch  # no room
    full = Ring(workers=1, size=1 << 16)
    full.begin()
    parcels = [full.pack(batch) for _ in range(SLOTS)]
    assert all(isinstance(parcel, Parcel) for parcel in parcels) and full.pack(batch) is batch  # no free slot
    for parcel in parcels:
        assert torch.equal(full.unpack(parcel).images["wrist"], batch.images["wrist"])
        assert isinstance(full.pack(batch), Parcel)
    full.begin()
    assert isinstance(full.pack(batch), Parcel)  # over what nobody will fetch


def test_an_epoch_broken_off_does_not_disturb_the_next(counting):
    whole, broken = data(counting, workers=2).train_dataloader(), data(counting, workers=2).train_dataloader()
    first = next(iter(broken))
    assert (first.actions == next(iter(whole)).actions).all()
    assert seen(broken) == seen(whole)


@pytest.mark.parametrize(
    "past, first, stride, every, target",
    [
        (1, False, 1, 1, "labels"),
        (4, False, 3, 1, "actions"),
        (1, False, 4, 2, "labels"),
        (3, True, 1, 1, "labels"),
        (1, True, 4, 2, "labels"),
    ],
)
def test_cached_windows_are_the_windows_of_the_images(
    counting, features, mean_features, tmp_path, past, first, stride, every, target
):
    if every > 1:
        features = tmp_path
        write_features(counting.path, features, mean_features, fingerprint=PRINT, every=every)
    options = {"past": past, "first": first, "stride": stride, "target": target, "validation": 0.7, "future": 6}
    images = data(counting, **options).val_dataloader()
    cached = data(counting, cache=features, **options).val_dataloader()
    assert len(images) == len(cached) > 2
    for one, two in zip(images, cached, strict=True):
        assert one.instruction == two.instruction and (one.valid == two.valid).all()
        assert torch.equal(one.actions, two.actions)
        assert all(torch.equal(one.signals[name], two.signals[name]) for name in counting.spec.signals)
        for camera, stages in two.images.items():
            assert [stage.dtype for stage in stages] == [torch.float16] * 2
            assert [stage.shape[2:] for stage in stages] == [(5, 4, 4), (7, 2, 2)]
            grey = one.images[camera].float().mean(dim=(2, 3, 4)).half()
            torch.testing.assert_close(stages[0].mean(dim=(2, 3, 4)), grey)
            torch.testing.assert_close(stages[1].mean(dim=(2, 3, 4)), grey)


def test_validation_holds_out_episodes_by_key(counting):
    module = data(counting, validation=0.3)
    keys = {row.key for row in module.training_rows} | {row.key for row in module.held_out_rows}
    assert len(keys) == len(counting) and module.held_out_rows and module.training_rows
    assert [held_out(f"key-{i}", share=0.1) for i in range(2000)].count(True) == pytest.approx(200, abs=50)
    assert data(counting, validation=0).val_dataloader() == []
    assert module.stats.steps == sum(row.steps for row in module.training_rows)


@pytest.mark.parametrize("cached", [False, True])
def test_sentences_are_redrawn_for_training_only(counting, features, cached):
    options = {"cache": features if cached else None, "validation": 0.3}
    module = data(counting, **options)
    loader = module.train_dataloader()
    said = [sorted({text for batch in loader for text in batch.instruction}) for _ in range(2)]
    assert said[0] == said[1] == sorted(text for texts in module.sentences.values() for text in texts)
    recorded = {row.instruction for row in counting.rows}
    plain = data(counting, resample_sentences=False, **options)
    assert {text for batch in plain.train_dataloader() for text in batch.instruction} == recorded
    assert {text for batch in module.val_dataloader() for text in batch.instruction} <= recorded


def shares(counting, ranks, **options):
    for rank in range(ranks):
        stream = Stream(
            folder=counting.path, rows=counting.rows, spec=counting.spec, cut=Cut(), batch_size=8, shuffle_buffer=20,
            rank=rank, ranks=ranks, **options,
        )  # fmt: skip
        yield seen(stream.pipeline())


def test_ranks_share_the_shards(counting):
    one, two = shares(counting, 2)
    assert sorted(one + two) == every(counting.rows) and one and two
    with pytest.raises(UserError, match="3 shards cannot be shared by 4 ranks"):
        module = data(counting, validation=0)
        module.trainer = SimpleNamespace(world_size=4, global_rank=0)
        module.train_dataloader()
    assert all(len(share) > 0 for share in shares(counting, 4, resampled=True))


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize(("ranks", "validation", "workers"), [(2, 0.2, 0), (2, 0.2, 2), (3, 0.9, 0), (12, 0.1, 0)])
def test_ranks_validate_as_many_batches_each_and_every_window_once(
    counting, features, cached, ranks, validation, workers
):
    options = {"cache": features if cached else None, "validation": validation, "workers": workers, "batch_size": 12}
    counted, lengths = [], set()
    for rank in range(ranks):
        module = data(counting, **options)
        module.trainer = SimpleNamespace(world_size=ranks, global_rank=rank)
        loader = module.val_dataloader()
        batches = list(loader)
        counted += actions_of(batches)
        lengths.add((len(loader), len(batches), sum(len(batch.valid) for batch in batches)))
    ((told, found, _),) = lengths
    assert told == found > 0
    assert sorted(counted) == sorted(actions_of(data(counting, **options).val_dataloader()))


def actions_of(batches) -> list[tuple[int, int]]:
    """Of every window that counts, which it is and how many of its actions do."""
    rows = [(batch.signals["gripper_pos"][:, -1].int().tolist(), batch.valid.sum(dim=1).tolist()) for batch in batches]
    return [pair for numbers, counts in rows for pair in zip(numbers, counts, strict=True) if pair[1]]


def test_workers_without_a_shard_are_not_started(counting):
    with pytest.warns(UserWarning, match="shards for 3 of 5 workers"):
        loader = data(counting, workers=5, validation=0).train_dataloader()
    assert len(set(seen(loader))) == len(loader) * 8


class Recorder(lightning.LightningModule):
    """Learns nothing and remembers which windows it was shown."""

    def __init__(self):
        super().__init__()
        self.weight, self.seen, self.pixels = torch.nn.Parameter(torch.zeros(1)), [], []

    def training_step(self, batch, index):
        self.seen.append([self.current_epoch, *batch.signals["gripper_pos"][:, -1].int().tolist()])
        self.pixels.append(batch.images["front"].clone() if torch.is_tensor(batch.images["front"]) else None)
        return self.weight.sum()

    def validation_step(self, batch, index):
        assert batch.images

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(module, tmp_path, *, epochs, resume=None) -> Recorder:
    recorder = Recorder()
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=epochs, logger=False, default_root_dir=tmp_path, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, num_sanity_val_steps=1,
    )  # fmt: skip
    trainer.fit(recorder, module, ckpt_path=resume, weights_only=True if resume else None)
    trainer.save_checkpoint(tmp_path / f"{epochs}.ckpt")
    return recorder


@pytest.mark.parametrize("cached", [False, True])
def test_lightning_trains_and_resumes_with_the_epoch_it_would_have_had(counting, features, tmp_path, cached):
    options = {"cache": features if cached else None, "workers": 2, "validation": 0.3}
    options |= {} if cached else {"augment": [Shift(pixels=2)]}
    whole = fit(data(counting, **options), tmp_path, epochs=3)
    assert {row[0] for row in whole.seen} == {0, 1, 2}
    fit(data(counting, **options), tmp_path, epochs=1)
    rest = fit(data(counting, **options), tmp_path, epochs=3, resume=tmp_path / "1.ckpt")
    assert rest.seen == [row for row in whole.seen if row[0] > 0]
    if not cached:
        assert all(torch.equal(a, b) for a, b in zip(rest.pixels[::-1], whole.pixels[::-1], strict=False))


def test_features_are_written_once_and_the_same_after_an_interruption(counting, features, tmp_path, mean_features):
    calls = []

    def failing(camera, frames):
        calls.append(camera)
        if len(calls) > 11:
            raise KeyboardInterrupt
        return mean_features(camera, frames)

    with pytest.raises(KeyboardInterrupt):
        write_features(counting.path, tmp_path, failing, fingerprint=PRINT)
    with pytest.raises(UserError):
        open_features(tmp_path, source=counting)
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        write_features(counting.path, tmp_path, failing, fingerprint=PRINT)
    write_features(counting.path, tmp_path, mean_features, fingerprint=PRINT)
    names = sorted(path.name for path in features.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    assert all((features / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)
    Dataset.open(features).verify_checksums()
    write_features(counting.path, features, None, fingerprint=PRINT)  # finished: nothing is encoded


def test_other_features_are_refused(counting, features, make_dataset, tmp_path, mean_features):
    with pytest.raises(UserError, match=r'"sha256": "00".*"sha256": "01"'):
        write_features(counting.path, features, mean_features, fingerprint={**PRINT, "sha256": "01"})
    other = make_dataset("other", [3, 4])
    shas = [cache_room.file_sha256(path / MANIFEST) for path in (counting.path, other)]
    with pytest.raises(UserError, match=f"{shas[0]}.*{shas[1]}"):
        data(Dataset.open(other), cache=features).train_dataloader()
    with pytest.raises(UserError, match="holds images"):
        data(counting, cache=counting.path).train_dataloader()
    with pytest.raises(UserError, match="holds something else"):
        write_features(counting.path, tmp_path, mean_features, fingerprint=PRINT)
    (shard, *_) = sorted(features.glob("*.tar"))
    with pytest.raises(UserError, match="float16"):
        wrong = lambda camera, frames: [np.full((len(frames), 1, 1, 1), np.inf, np.float16)]  # noqa: E731
        write_features(counting.path, tmp_path / "inf", wrong, fingerprint=PRINT)
    assert not list((tmp_path / "inf").glob("*.tar")) and shard.is_file()


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"workers": -1}, {"validation": 1.5}, {"past": 0}])
def test_impossible_options_are_refused(counting, wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        data(counting, **wrong)


def test_a_loader_can_go_to_another_process(counting, features):
    for cache in (None, features):
        loader = data(counting, cache=cache).train_dataloader()
        copy = pickle.loads(pickle.dumps(loader._loader))
        assert seen(copy)[: 8 * len(loader)] == seen(loader)


def test_the_options_are_a_schema(counting):
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(WindowData, "data")
    moves = [{"class_path": "mmil.data.augment.Shift", "init_args": {"pixels": 2}}, {"class_path": "Colour"}]
    config = parser.parse_object({"data": {"path": str(counting.path), "augment": moves}})
    assert parser.instantiate(config).data.views.transforms[0] == Shift(pixels=2)
    with pytest.raises(Exception, match="labels"):
        parser.parse_object({"data": {"path": "x", "target": "rewards"}})


def test_windows_that_need_frames_a_cache_lacks_are_refused(counting, mean_features, tmp_path):
    write_features(counting.path, tmp_path, mean_features, fingerprint=PRINT, every=2)
    for options in ({"stride": 3}, {"stride": 2, "past": 2}):
        with pytest.raises(UserError, match="has maps of one frame in 2"):
            data(counting, cache=tmp_path, **options).train_dataloader()
    with pytest.raises(UserError, match="caches other features"):
        write_features(counting.path, tmp_path, mean_features, fingerprint=PRINT, every=4)


@pytest.mark.parametrize("cached", [True, False])
def test_windows_told_another_thing_are_for_lessons_alone(counting, features, cached):
    module = data(counting, cache=features if cached else None, others=0.4, validation=0.0)
    things = {sentence: goal.object for goal, said in module.sentences.items() for sentence in said}
    told = {True: 0, False: 0}
    for batch in module.train_dataloader():
        for row, sentence in enumerate(batch.instruction):
            asked = counting.rows[0].things[batch.asked[row]]
            taken = counting.rows[int(batch.signals["gripper_pos"][row, -1]) // 100].goal.object
            assert asked == things[sentence]
            assert batch.valid[row].any() == (asked == taken)
            told[asked == taken] += 1
    assert 0.2 < told[False] / sum(told.values()) < 0.6


def test_a_share_of_other_things_must_be_one(counting):
    with pytest.raises(UserError, match=r"others is 1\.5"):
        data(counting, others=1.5)


def test_few_phrasings_are_all_that_is_told(counting):
    module = data(counting, phrasings=1, validation=0)
    said = {text for batch in module.train_dataloader() for text in batch.instruction}
    recorded = {row.instruction for row in counting.rows}
    assert said == {text for texts in module.sentences.values() for text in texts} >= recorded
    assert len(said) <= len(recorded) + FEW + len(module.sentences) and module.bound == []
    with pytest.raises(UserError, match="phrasings is 0"):
        data(counting, phrasings=0)


def test_so_many_episodes_are_the_first_by_their_keys_and_fewer_are_a_part_of_more(counting, features):
    whole = data(counting, validation=0.2)
    keys = sorted(row.key for row in whole.training_rows)
    few, more = (data(counting, validation=0.2, episodes=count) for count in (2, 3))
    assert [sorted(row.key for row in some.training_rows) for some in (few, more)] == [keys[:2], keys[:3]]
    lie = [row.key for row in whole.training_rows]
    assert [row.key for row in more.training_rows] == sorted((row.key for row in more.training_rows), key=lie.index)
    assert few.held_out_rows == whole.held_out_rows and few.stats.steps == sum(row.steps for row in few.training_rows)
    assert set(few.sentences) == {row.goal for row in few.training_rows} & set(whole.sentences)
    cached = data(counting, validation=0.2, episodes=2, cache=features, batch_size=1, shuffle_buffer=50)
    assert sorted(seen(cached.train_dataloader())) == every(few.training_rows)
    with pytest.raises(UserError, match=rf"episodes is 900; .* has {len(keys)} to train on"):
        data(counting, validation=0.2, episodes=900)
    with pytest.raises(UserError, match="episodes is 0; it must be at least 1"):
        data(counting, episodes=0)
