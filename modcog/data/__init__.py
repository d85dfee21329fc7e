"""Data sets on disk, and live batches: export, verify, load, and feed a training loop."""

from modcog.extras import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
