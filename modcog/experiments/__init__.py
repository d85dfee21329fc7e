"""Experiments on networks: sweeps of training runs, the paper's claims, and the benchmark."""

from modcog.extras import attach_stub, require

require("train", "modcog.experiments")

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
