"""The parts of a table's model that robosuite does not put there: household shapes in the slots, and fixtures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import robosuite

from mmil.scenes.fixtures import Fixture
from mmil.scenes.things import HOUSEHOLD

ASSETS = Path(robosuite.__file__).parent / "models" / "assets"
# mesh file, its scale, texture file, times it is repeated; or a colour where robosuite's texture is no texture
LOOKS = {
    "milk": ("milk.msh", "0.9 0.9 0.9", "ceramic.png", "1 1"),
    "can": ("can.msh", "1 1 1", "soda.png", "5 5"),
    "bread": ("bread.stl", "0.8 0.8 0.8", "bread.png", "15 15"),
    "cereal": ("cereal.msh", "1 1 1", "cereal.png", "1 1"),
    "lemon": ("lemon.msh", "1.5 1 1", "lemon.png", "60 50"),
    "bottle": ("bottle.stl", "1 1 1", None, ""),
}
TABLE_TEXTURE = "table_texture_"
TABLE_TEXTURES = (
    *("light-wood", "dark-wood", "gray-woodgrain", "wood-varnished-panels", "gray-felt", "gray-plaster"),
    *("pink-plaster", "yellow-plaster", "clay", "light-gray-floor-tile", "ceramic", "metal"),
)
GLASS = "0.45 0.70 0.62 1"


def furnish(
    xml: str, slots: Sequence[str], *, shapes: Sequence[str], fixtures: Sequence[Fixture], textures: bool = False
) -> str:
    """The model with these fixtures, textures for the table, and the household ones among `shapes` in every slot."""
    root = ET.fromstring(xml)
    household = [shape for shape in shapes if shape in HOUSEHOLD]
    asset, world = root.find("asset"), root.find("worldbody")
    assert asset is not None and world is not None, "robosuite's models have both"
    for shape in household:
        asset.extend(_assets(shape))
    for slot in slots:
        body = root.find(f".//body[@name='{slot}_root']")
        assert body is not None, "a slot's body is its root"
        body.extend(_geom(slot, shape) for shape in household)
    if textures:
        for texture in TABLE_TEXTURES:
            asset.extend(_texture(TABLE_TEXTURE + texture, f"{texture}.png", repeat="2 2", uniform=True))
    world.extend(ET.fromstring(fixture.xml) for fixture in fixtures)
    return ET.tostring(root, encoding="unicode")


def _assets(shape: str) -> list[ET.Element]:
    mesh, scale, texture, repeat = LOOKS[shape]
    file = str(ASSETS / "objects" / "meshes" / mesh)
    parts = [ET.Element("mesh", name=f"household_{shape}", file=file, scale=scale)]
    if texture is None:
        return [*parts, ET.Element("material", name=f"household_{shape}", rgba=GLASS, reflectance="0")]
    return [*parts, *_texture(f"household_{shape}", texture, repeat=repeat, uniform=shape != "cereal")]


def _texture(name: str, file: str, *, repeat: str, uniform: bool) -> list[ET.Element]:
    image = ET.Element("texture", name=name, type="2d", file=str(ASSETS / "textures" / file))
    look = {"name": name, "texture": name, "texrepeat": repeat}
    look |= {"texuniform": str(uniform).lower(), "reflectance": "0"}
    return [image, ET.Element("material", look)]


def _geom(slot: str, shape: str) -> ET.Element:
    part = f"household_{shape}"
    look = {"name": f"{slot}_{shape}", "type": "mesh", "mesh": part, "material": part, "group": "1"}
    contact = {"condim": "4", "friction": "0.95 0.005 0.0001", "solref": "0.01 1"}
    return ET.Element("geom", look | contact)
