"""Experiments on networks: sweeps of training runs, the paper's claims, and the benchmark."""

import lazy_loader

from modcog.extras import require

require("benchmark", "modcog.experiments")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
