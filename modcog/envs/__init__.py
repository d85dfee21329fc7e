"""The tasks as gymnasium environments; importing this package imports neither neurogym nor torch."""

from modcog.extras import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
