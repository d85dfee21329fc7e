"""What the stored arrays and columns mean."""

from __future__ import annotations

from collections.abc import Iterable

from modcog.tasks.condition import Condition

ARRAYS = {
    "observations": "channels on the last axis: fixation cue, ring of modality 1, ring of modality 2",
    "labels": "the right action at each step: 0 hold fixation, 1 + k respond in direction k; −100 in padding",
}
"""What is stored step by step."""

OWN_COLUMNS = {
    "task": "index into the task names",
    "length": "steps of the trial; in a sequence, of the part that is in it",
    "start": "first step of the trial, from the start of the shard's arrays or, in layout stream, of its sequence",
    "sequence": "index in the shard of the sequence that the trial is in",
    "decision_start": "step of the trial at which the decision begins; length, if the trial is cut before",
}
"""A value for each trial, beside the conditions."""

_ABSENT = "; −1 or NaN where the task has no such thing"


def meanings(names: Iterable[str], conditions: Iterable[Condition]) -> dict[str, str]:
    """Return what each stored array or column holds, in a few words."""
    declared = {condition.name: (condition.meaning or condition.name) + _ABSENT for condition in conditions}
    return {name: {**declared, **ARRAYS, **OWN_COLUMNS}[name] for name in names}
