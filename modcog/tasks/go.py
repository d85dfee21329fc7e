"""The go family: one stimulus, respond towards it or away from it."""

from __future__ import annotations

from modcog.tasks.base import Draw, Outcome, Stimulus
from modcog.tasks.condition import Condition

MODALITY = Condition("modality", "modality", "the ring that shows the stimuli, 1 or 2")

CONDITIONS = (Condition("direction", "direction", "where the stimulus stands on the ring"), MODALITY)


def draw(t: Draw) -> Outcome:
    """Return the trials: the target is the direction, or the one opposite."""
    target = (t["direction"] + t.param("anti") * (t.dim_ring // 2)) % t.dim_ring
    return Outcome(target, [Stimulus(0, t["modality"], t["direction"])])
