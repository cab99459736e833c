"""mmil: robots that learn by watching, from randomised scenes to trials on sentences never seen."""

__version__ = "0.1.0"
