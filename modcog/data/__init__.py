"""Data sets on disk, and live batches: export, verify, load, and feed a training loop."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
