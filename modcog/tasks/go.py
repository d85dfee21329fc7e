"""The go family: one stimulus, respond towards it or away from it."""

from __future__ import annotations

from modcog.tasks.draw import Draw, Outcome, Stimulus


def draw(t: Draw) -> Outcome:
    """Draw ``direction`` and ``modality``; the target is the direction, or the one opposite."""
    direction = t.integers("direction", 0, t.dim_ring)
    modality = t.integers("modality", 1, 3)
    target = (direction + t.param("anti") * (t.dim_ring // 2)) % t.dim_ring
    return Outcome(target, [Stimulus(0, modality, direction)])
