"""A policy for whoever has the robot: in the same process (mmil.load), or over a socket (mmil serve, Client).

Whoever only connects needs numpy and msgpack: nothing here imports torch before a policy is loaded.
"""

from mmil.serving.client import Client

__all__ = ["Client"]
