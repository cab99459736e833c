"""`mmil multiply`: a handful of demonstrations → hundreds, done again in new layouts and kept where they succeed.

The idea is MimicGen's (Mandlekar et al. 2023, arXiv 2310.17596). It is `generate` with another actor, so workers,
stores, resuming, quarantine and the rate of each skill are generation's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from data_tools.demonstrations import read_demonstrations
from data_tools.folder import is_finished
from data_tools.generate import Generated, generate
from data_tools.render import chosen, named
from data_tools.studio import merged, nested, scene_node
from mmil.config import build_scene
from mmil.contracts import BODY_POSES, Actor, UserError
from mmil.data.address import store_at
from mmil.data.dataset import MANIFEST, Dataset
from mmil.data.shards import file_sha256
from mmil.experts.demonstration import Demonstration
from mmil.experts.disturbed import Disturbed
from mmil.experts.transferred import Transferred

Node = dict[str, Any]
HORIZON = 500  # steps, where the source does not say


def multiply(
    source: Path | str,
    *,
    out: Path | str,
    episodes: int,
    demonstrations: str | None = None,
    scene: dict[str, Any] | None = None,
    seed: int | None = None,
    horizon: int | None = None,
    noise: float = 0.0,
    workers: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
    **making: Any,
) -> Generated:
    """Do what a data set's successes show in `episodes` new layouts, and keep those that succeed.

    Args:
        source: the data set, scripted or teleoperated
        out: a folder, or an address: s3://bucket/prefix; a place begun with other options is refused
        episodes: how many to make
        demonstrations: which of the source's episodes: 0-5,9 (all that succeeded)
        scene: options of the source's scene that are other ones: {image_size: [256, 256], things: 4}
        seed: of the new layouts, another one than the source's (the next)
        horizon: steps, after which an attempt has timed out (the source's)
        noise: standard deviation of a slowly changing offset on what is executed; labels are without it
        workers: processes (one a core), or actors of a cluster (one a CPU of it)
        making: what generate takes besides; the command line reads its options there
    """
    dataset = Dataset.open(source)
    _require(dataset, out=out, episodes=episodes, noise=noise)
    seed, indexes = _seed(dataset, seed), _successes(dataset, demonstrations)
    node = _new_scene(dataset, indexes, scene or {})
    known = [] if is_finished(out) else _read(dataset, indexes, workers=workers, tell=tell)
    of = {"of": file_sha256(dataset.path / MANIFEST), "episodes": named(indexes)}
    return generate(
        scene=partial(build_scene, node),
        actor=partial(_actor, known, noise),
        expert=partial(Transferred, known) if noise else None,
        out=out,
        episodes=episodes,
        seed=seed,
        horizon=horizon or int(dataset.manifest["config"].get("horizon", HORIZON)),
        workers=workers,
        references=0.0,  # given, so that they are no options here
        estimate=False,
        config={"verb": "multiply", "source": of, "noise": noise, "scene": node},
        lineage=[{"verb": "multiply", **of, "redrawn": []}],
        tell=tell,
        **making,
    )


def _actor(known: Sequence[Demonstration], noise: float) -> Actor:
    actor = Transferred(known)
    return Disturbed(actor, sway=noise, push=0.0) if noise else actor


def _require(dataset: Dataset, *, out: Path | str, episodes: int, noise: float) -> None:
    """Raise UserError where it is clear before anything is read that nothing can come of it."""
    if episodes < 1:
        raise UserError(f"episodes is {episodes}; it must be 1 or more")
    if not 0 <= noise <= 1:
        raise UserError(f"noise is {noise}; it is a share of an action, 0 to 1")
    if str(store_at(out)) == str(dataset.store) or Path(out).resolve() == dataset.path.resolve():
        raise UserError(f"{out} is the source itself; --out needs another place")
    if BODY_POSES not in dataset.spec.privileged:
        raise UserError(f"{dataset.path} does not say where its things were: it has no privileged {BODY_POSES}")
    scene_node(dataset)


def _seed(dataset: Dataset, seed: int | None) -> int:
    theirs = dataset.manifest["config"].get("seed")
    if not isinstance(theirs, int):
        return seed or 0
    if seed == theirs:
        raise UserError(f"seed {seed} is the source's own, and its layouts would come again; take another one")
    return theirs + 1 if seed is None else seed


def _successes(dataset: Dataset, text: str | None) -> list[int]:
    indexes = chosen(text, len(dataset)) if text else range(len(dataset))
    found = [index for index in indexes if dataset.rows[index].outcome == "success" and dataset.rows[index].steps]
    if not found:
        raise UserError(f"none of {len(indexes)} episodes of {dataset.path} is a success that could be done again")
    return found


def _read(
    dataset: Dataset, indexes: Sequence[int], *, workers: int | None, tell: Callable[[str], None]
) -> list[Demonstration]:
    known = read_demonstrations(dataset, indexes, scene=scene_node(dataset), workers=workers)
    counts = Counter(demo.goal.verb for demo in known)
    listed = ", ".join(f"{verb} ({count})" for verb, count in sorted(counts.items()))
    tell(f"{len(known)} demonstrations of {listed}")
    return known


# -- the scene, asked for nothing that no demonstration shows ----------------------------------------------------------


def _new_scene(dataset: Dataset, indexes: Sequence[int], changes: Mapping[str, Any]) -> Node:
    goals, node = [dataset.rows[index].goal for index in indexes], scene_node(dataset)
    options = dict(node.get("init_args") or {})
    if "manners" in options and not any(goal.manner for goal in goals):
        options["manners"] = 0.0
    return _restricted({**node, "init_args": merged(options, nested(changes))}, sorted({goal.verb for goal in goals}))


def _restricted(node: Node, verbs: Sequence[str]) -> Node:
    """The scene with the skills of these verbs; one that has no choice of skills is left as it is."""
    options = dict(node.get("init_args") or {})
    if not options.get("skills"):
        return node
    known = {_skill(item).verb: item for item in options["skills"]}
    kept = [verb for verb in known if verb in verbs]
    if not kept:
        raise UserError(f"the scene's skills are {', '.join(known)}; there are demonstrations of {', '.join(verbs)}")
    kept, options = _with_company(kept, known, options)
    room = _fixtures(known[verb] for verb in kept)
    options["fixtures"] = min(options.get("fixtures", 0), room)
    return {**node, "init_args": {**options, "skills": [known[verb] for verb in kept]}}


def _with_company(kept: list[str], known: Mapping[str, Any], options: Node) -> tuple[list[str], Node]:
    """A lone drawer can be asked for one thing only, and a scene wants two goals: another skill, never told."""
    if _fixtures(known[verb] for verb in kept) != 1:
        return kept, options
    other = next((verb for verb, item in known.items() if verb not in kept and not _skill(item).fixtures), None)
    if other is None:
        return kept, options
    randomisation = dict(options.get("randomisation") or {})
    held = [one for one in randomisation.get("held_out") or () if one.get("verb") != other]
    return [*kept, other], {**options, "randomisation": {**randomisation, "held_out": [*held, {"verb": other}]}}


def _fixtures(skills: Any) -> int:
    """How many fixtures they have to stand there."""
    from mmil.scenes.fixtures import KINDS

    return sum(KINDS[kind][1] for kind in {kind for item in skills for kind in _skill(item).fixtures})


def _skill(item: Any) -> Any:
    module, _, name = (item if isinstance(item, str) else item["class_path"]).rpartition(".")
    return getattr(import_module(module), name)
