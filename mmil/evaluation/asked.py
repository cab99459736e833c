"""Which suites are judged: those of the names asked for, as far as the data of the run have what they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from mmil.config import build_scene
from mmil.contracts import UserError
from mmil.evaluation.altered import Change
from mmil.evaluation.suites import Suite, load_suite, suite_names
from mmil.language.compositions import Compositions


def suites_of(name: str, *, own_name: str | None, change: Change | None) -> list[Suite]:
    """Those of these names, or all; with own sentences or an altered input, suites of their own on those layouts."""
    names = dict.fromkeys(name.split(","))
    suites = [load_suite(one) for one in (suite_names() if "all" in names else names)]
    kinds = [own_name] if own_name else []
    kinds += [f"without-{change.input}" if change.how == "drop" else "-".join(change)] if change else []
    if not kinds:
        return suites
    return [replace(one, layouts=one.layouts or one.name, name="-".join([one.name, *kinds])) for one in suites]


def possible(
    suites: list[Suite], scene: dict[str, Any], held: Compositions, *, tell: Callable[[str], None]
) -> list[Suite]:
    """Without those that the data set has no goals or no cameras for; the only one asked for is refused."""
    reasons = {one.name: _impossible(one, scene, held) for one in suites}
    for name, reason in reasons.items():
        if reason and len(suites) == 1:
            raise UserError(f"{name}: {reason}")
        if reason:
            tell(f"{name}: {reason}; left out")
    return [one for one in suites if not reasons[one.name]]


def _impossible(suite: Suite, scene: dict[str, Any], held: Compositions) -> str:
    if suite.goals == "held_out" and not held:
        return "the data set of this run holds out no compositions (`mmil splits` chooses some)"
    if suite.manner == "always" and not (scene.get("init_args") or {}).get("manners"):
        return "the data set of this run asks for no manners (`manners:` of its scene)"
    if suite.cameras == "held_out" and not _moves_cameras(suite, scene):
        return "its cameras stand where those of the data set stood (`randomisation:` of its scene)"
    return ""


def _moves_cameras(suite: Suite, node: dict[str, Any]) -> bool:
    """Whether the suite's cameras stand elsewhere than the data's, as far as a scene says where they stand."""
    places = []
    for config in (node, suite.scene_config(node, horizon=1)):
        with closing(build_scene(config)) as scene:
            scene.reset(0)
            drawn = scene.draws.get("cameras")
        if not isinstance(drawn, Mapping):
            return True
        places.append({camera: {**told, "band": None} for camera, told in drawn.items()})
    return places[0] != places[1]
