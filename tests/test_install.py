"""The lock, the Makefile and pyproject.toml agree, and no file of the project names a package registry."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mmil

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text().splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = ("3.11", "3.12", "3.13")
REGISTRIES = (
    "py" + "pi.org",
    "python" + "hosted",
    "debian" + ".org",
    "npm" + "js",
    "crates" + ".io",
    "anaconda" + ".org",
)


def pins(python: str) -> dict[str, str]:
    """Name → version, as the lock gives it to a Linux machine with that Python; each name once."""
    machine = {"python_version": python, "python_full_version": f"{python}.1"}
    machine |= {"sys_platform": "linux", "platform_machine": "x86_64"}
    found: dict[str, str] = {}
    for line in LOCK:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(machine):
            assert requirement.name not in found, f"{requirement.name} is pinned twice for Python {python}"
            found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


def project_files() -> list[Path]:
    """Every file that git tracks or would track; all but the ignored folders where there is no git."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, text=True).stdout if shutil.which("git") else ""
    if names:
        paths = [ROOT / name for name in names.split("\0") if name]
    else:
        ours = ("mmil", "data_tools", "configs", "tests", ".ci")
        paths = [*ROOT.glob("*"), *(path for room in ours for path in (ROOT / room).rglob("*"))]
    return [path for path in paths if path.is_file()]


def test_the_lock_holds_pins_and_markers_only() -> None:
    for line in LOCK:
        pin, _, marker = line.partition(" ; ")
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.+]*", pin), line
        if marker:
            Marker(marker)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_pins_every_dependency_within_its_bounds(python: str) -> None:
    locked = pins(python)
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    for text in [text for text in (*PROJECT["dependencies"], *extras) if not text.startswith("mmil[")]:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{name} is not in requirements.lock"
        assert requirement.specifier.contains(locked[name], prereleases=True), f"{text} but locked {locked[name]}"


def test_this_environment_is_what_the_lock_says() -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python not in PYTHONS:
        pytest.skip(f"the lock serves {', '.join(PYTHONS)}, not {python}")
    installed = {canonicalize_name(item.name): item.version for item in importlib.metadata.distributions()}
    wrong = {name: installed.get(name) for name, version in pins(python).items() if installed.get(name) != version}
    assert not wrong, f"installed, but locked otherwise: {wrong}; run `make .venv`"


def test_the_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
    assert {"quickstart", "test"} <= named, f"the README names only {sorted(named)}"
    assert named <= targets, f"the README names {sorted(named - targets)}; the Makefile has {sorted(targets)}"


def test_configs_lie_beside_the_package() -> None:
    assert (Path(mmil.__file__).parents[1] / "configs").is_dir()


def test_no_file_names_a_registry() -> None:
    for path in project_files():
        content = path.read_bytes()
        for registry in REGISTRIES:
            assert registry.encode() not in content, f"{path.relative_to(ROOT)} names {registry}"
