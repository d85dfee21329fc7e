"""Bounds of what can be asked for, far beyond use, so that nothing overflows or fills the memory."""

LONGEST_MS = 1e9
"""Of a duration, in ms."""

LONGEST_TRIAL = 1_000_000
"""Of a trial, in steps; a guard against a dt so small that a trial would not fit in memory."""

LARGEST_STRENGTH = 1e6
"""Of strengths and of the noise; far within the range of float32."""
