"""A scene and an expert → a data set. The same seed gives the same bytes, however many workers, however often killed.

Workers, here or on a cluster, turn an index into a part (station.py: one episode, as bytes); this process keeps the
parts, makes a shard of those that belong together (stock.py), and when all shards stand writes the index and, last, the
manifest (publish.py). Whatever a killed run left, each file of it is whole, so that the next run takes it as it is and
makes only what is missing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_tools.folder import claim, finish, is_finished, require_same
from data_tools.forecast import PROBES, Forecast
from data_tools.part import INFEASIBLE, QUALITIES, QUARANTINED
from data_tools.publish import publish, spoken
from data_tools.quarantine import QUARANTINE, write_quarantine
from data_tools.station import (
    REFERENCES,
    Delivery,
    Keep,
    Order,
    Speaker,
    load_grammar,
    make_part,
    make_part_at_last,
    referring,
)
from data_tools.stock import Stock
from data_tools.tally import rates
from mmil import parallel
from mmil.contracts import Actor, Goal, Scene, UserError
from mmil.data.address import store_at
from mmil.data.dataset import MANIFEST, Dataset
from mmil.data.shards import Row
from mmil.data.store import Store
from mmil.evaluation.page import duration
from mmil.evaluation.statistics import wilson
from mmil.progress import progress_bar

__all__ = ["Generated", "Speaker", "generate", "load_grammar", "spoken"]

ELSEWHERE = (
    "out",
    "workers",
    "cluster",
    "address",
    "patience",
    "estimate",
)  # options that do not make the data what it is


@dataclass(frozen=True)
class Generated:
    """What stands there now, and how much of it this run made."""

    store: Store
    manifest: Mapping[str, Any]  # empty where nothing but an estimate was asked for
    made: int  # episodes; 0 where it was finished before
    seconds: float

    def lines(self) -> Iterator[str]:
        """What a person should know of it: how much there is, how the expert did, and what was set aside."""
        told = self.manifest
        when = f"{self.made} made now in {duration(self.seconds)}" if self.made else "finished before"
        counts = f"{told['episodes']} episodes, {told['steps']} steps, {told['failed_attempts']} failed attempts"
        yield f"{self.store}: {counts} ({when})"
        for verb, (successes, attempts) in rates(told.get("attempts", {})).items():
            yield f"  {verb:<12}{wilson(successes, attempts)}"
        for quality, (successes, attempts) in rates(told.get(QUALITIES, {})).items():
            yield f"  of quality {quality:<12}{wilson(successes, attempts)}"
        if told.get(QUARANTINED):
            yield f"  {told[QUARANTINED]} attempts are in quarantine: {self.store}/{QUARANTINE} says why"
        for reason, seeds in told.get(INFEASIBLE, {}).items():
            yield f"  {seeds} seeds made no scene: {reason}"


def generate(
    *,
    scene: Callable[[], Scene],
    actor: Callable[[], Actor],
    out: Path | str,
    episodes: int,
    seed: int,
    horizon: int,
    expert: Callable[[], Actor] | None = None,
    grammar: Callable[[], Speaker] = load_grammar,
    workers: int | None = None,
    cluster: parallel.Cluster | None = None,
    address: str | None = None,
    patience: float | None = parallel.PATIENCE,
    episodes_per_shard: int = 32,
    keep: Keep = "success",
    max_attempts: int = 20,
    references: float = 0.0,
    estimate: bool = False,
    config: Mapping[str, Any] | None = None,
    lineage: Sequence[Mapping[str, Any]] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> Generated:
    """Make `episodes` episodes in `out`, or what is missing of them; factories must be picklable.

    Args:
        scene: what is simulated
        actor: who drives it
        out: a folder, or an address: s3://bucket/prefix; a place begun with other options is refused
        episodes: how many to make
        seed: of the first layout; the same seed makes the same bytes
        episodes_per_shard: of each tar
        horizon: steps, after which an attempt has timed out
        expert: who labels what the actor does (the actor)
        workers: processes (one a core), or actors of a cluster (one a CPU of it)
        cluster: ray: on the nodes of a Ray cluster
        address: of that cluster, HOST:PORT (one on this machine, which begins and ends with the work)
        patience: seconds an episode may take before its worker counts as hung (10 times the slowest one, if that is
            more); null: no end, and a single worker is this process
        keep: successes alone, or every outcome
        max_attempts: seeds to try for an episode
        references: of the sentences, the share that says a thing by what else is there, where that means it alone
        estimate: make a few episodes, keep none, and tell what all will cost
        config: what else made the data what it is; kept beside them
        lineage: what they were made from
        tell: hears what it will cost
    """
    begun, store = time.monotonic(), store_at(out)
    crew = parallel.checked(workers=workers, cluster=cluster, address=address, patience=patience)
    order = Order(scene, actor, expert, grammar, seed, horizon, keep, max_attempts, references)
    config = _resolved(config or {}, order, episodes=episodes, episodes_per_shard=episodes_per_shard)
    if estimate:
        return _estimated(order, store, config, crew=crew, tell=tell)
    made = _grow(order, store, config, lineage=lineage, crew=crew, tell=tell)
    return Generated(store, Dataset.open(store).manifest, made, time.monotonic() - begun)


def _grow(
    order: Order,
    store: Store,
    config: Mapping[str, Any],
    *,
    lineage: Sequence[Mapping[str, Any]],
    crew: Mapping[str, Any],
    tell: Callable[[str], None],
) -> int:
    """Make what is missing; how many episodes that was, 0 where it was finished before."""
    if is_finished(store):
        require_same(store, config)
        return 0
    numbers = {"episodes": config["episodes"], "per_shard": config["episodes_per_shard"], "seed": order.seed}
    missing: list[int] = []
    with claim(store, config):
        if MANIFEST not in store.sizes():
            with closing(Stock(store, **numbers)) as stock:
                missing = stock.missing()
                _make(order, stock, missing, crew=crew, tell=tell)
                _publish(stock, order.grammar(), config, references=order.references, lineage=lineage)
        finish(store)
    return len(missing)


def _make(
    order: Order, stock: Stock, missing: list[int], *, crew: Mapping[str, Any], tell: Callable[[str], None]
) -> None:
    if not missing:
        return
    forecast = Forecast(stock.store, len(missing), stock.per_shard, _together(crew))
    there, note = stock.episodes - len(missing), stock.tally.note
    work = _work(order, missing, crew)
    with (
        closing(work),
        progress_bar("generate", total=stock.episodes, unit="episodes", already=there, note=note) as advance,
    ):
        for _, delivery in work:
            stock.require_spec(delivery.spec)
            stock.add(delivery.part)
            advance(stock.tally.note, below=stock.tally.skills)
            if line := forecast.learn(delivery):
                tell(line)
        stock.finish()
        advance(stock.tally.note, by=0, below=stock.tally.skills)


def _estimated(
    order: Order, store: Store, config: Mapping[str, Any], *, crew: Mapping[str, Any], tell: Callable[[str], None]
) -> Generated:
    """Tell what all will cost, from a few that are made and not kept."""
    begun, episodes = time.monotonic(), config["episodes"]
    few = range(min(PROBES, episodes))
    with (
        closing(_work(order, few, crew)) as work,
        progress_bar("estimate", total=len(few), unit="episodes") as advance,
    ):
        deliveries = []
        for _, delivery in work:
            deliveries.append(delivery)
            advance()
    tell(Forecast(store, episodes, config["episodes_per_shard"], _together(crew)).foretell(deliveries))
    return Generated(store, {}, 0, time.monotonic() - begun)


def _work(order: Order, indices: Sequence[int], crew: Mapping[str, Any]) -> Generator[tuple[int, Delivery]]:
    env, named = parallel.simulation_env(), "episode {}".format
    return parallel.run(make_part, indices, last=make_part_at_last, make=order, env=env, name=named, **crew)


def _together(crew: Mapping[str, Any]) -> int | None:
    """How many episodes are made at a time; None where a cluster decides."""
    return crew["workers"] or (None if crew["cluster"] else parallel.available_cores())


def _publish(
    stock: Stock,
    grammar: Speaker,
    config: Mapping[str, Any],
    *,
    references: float,
    lineage: Sequence[Mapping[str, Any]],
) -> None:
    stock.finish()
    records = [stock.records[number] for number in sorted(stock.records)]
    rows, of_goal = [row for record in records for row in record.rows], defaultdict[Goal, list[Row]](list)
    for row in rows:
        of_goal[row.goal].append(row)
    write_quarantine(stock.store, records, seed=stock.seed)
    qualities = stock.tally.qualities()
    publish(
        stock.store,
        spec=stock.spec,
        config=config,
        rows=rows,
        shards=[record.entry for record in records],
        said={
            goal: spoken(grammar, goal, rows=asked, seed=stock.seed, references=references)
            for goal, asked in of_goal.items()
        },
        attempts=stock.tally.to_json(),
        **({QUALITIES: qualities} if qualities else {}),
        quarantined=stock.tally.count(QUARANTINED),
        infeasible=stock.tally.reasons(INFEASIBLE),
        **({"lineage": list(lineage)} if lineage else {}),
    )


def _resolved(config: Mapping[str, Any], order: Order, *, episodes: int, episodes_per_shard: int) -> dict[str, Any]:
    """What makes the data what it is; where it is written and by whom does not."""
    numbers = {"episodes": episodes, "episodes_per_shard": episodes_per_shard, "horizon": order.horizon}
    for name, number in {**numbers, "max_attempts": order.max_attempts}.items():
        if number < 1:
            raise UserError(f"{name} is {number}; it must be 1 or more")
    if order.seed < 0:
        raise UserError(f"seed is {order.seed}; it must be 0 or more")
    own: dict[str, Any] = {**numbers, "seed": order.seed, "keep": order.keep, "max_attempts": order.max_attempts}
    own |= referring(order.references)
    return {**{key: value for key, value in config.items() if key not in (*ELSEWHERE, REFERENCES)}, **own}
