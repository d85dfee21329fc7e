"""A person plays a task, in a window or in the terminal, and is scored as networks are."""

from modcog.play.game import Frame, Leave, Screen, play, summary

__all__ = ["Frame", "Leave", "Screen", "play", "summary"]
