"""A person plays a task, in a window or in the terminal, and is scored as networks are."""

from modcog.play.game import play, summary

__all__ = ["play", "summary"]
