"""The generator: draw, extend, paint."""
