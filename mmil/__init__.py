"""mmil: robots that learn by watching, from randomised scenes to trials on sentences never seen."""

import sys

__version__ = "0.1.0"

if "gymnasium" in sys.modules:  # whoever uses it finds our environments; nobody else waits for it
    from mmil import gym as gym
