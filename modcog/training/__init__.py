"""Training of the reference networks, or of your own, on a battery."""

from modcog.extras import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
