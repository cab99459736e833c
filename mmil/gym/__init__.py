"""Scenes as Gymnasium environments: gymnasium.make("mmil/Tabletop-v0", things=4, split="held_out").

Registered by `import mmil` after gymnasium, by `import mmil.gym`, or by name: make("mmil.gym:mmil/Tabletop-v0").
Nothing here imports a simulator before an environment is made.
"""

from __future__ import annotations

import gymnasium

ENVIRONMENT, VECTOR = "mmil.gym.environment:Environment", "mmil.gym.vector:vector"
CLASSIC = ("Lift", "Stack", "Can", "PickPlace", "NutAssembly", "Door", "Wipe")  # robosuite's own tasks
SCENES = {  # id → the scene it is made of; "mmil/Scene-v0" takes any other as `scene`
    "mmil/Scene-v0": None,
    "mmil/Tabletop-v0": "mmil.scenes:Tabletop",
    **{f"mmil/{task}-v0": f"mmil.scenes.classic:{task}" for task in CLASSIC},
}


def register() -> None:
    """Make the ids known to gymnasium; again does no harm."""
    for name, scene in SCENES.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name, ENVIRONMENT, vector_entry_point=VECTOR, kwargs={} if scene is None else {"scene": scene}
            )


register()
