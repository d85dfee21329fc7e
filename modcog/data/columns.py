"""What the stored arrays and columns mean."""

from __future__ import annotations

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

_CONDITIONS = {
    "direction": "direction of the stimulus, 0 … dim_ring − 1",
    "modality": "modality that shows the stimulus, 1 or 2",
    "direction1": "first of the two directions",
    "direction2": "second of the two directions",
    "sample_direction": "direction of the sample",
    "test_direction": "direction of the test",
    "target": "direction asked for, before the interval extension moves it",
    "respond": "1: respond; 0: hold fixation through the decision",
    "interval_ms": "ms that the interval extension counts",
    "match": "1: match; 0: non-match",
    "coin": "which direction is called right in a tie, 1 or 2",
}
_PREFIXES = {
    "duration_": "ms that the period {} was drawn to last",
    "steps_": "steps that the period {} lasts",
    "strength1_mod": "strength of direction 1 in modality {}",
    "strength2_mod": "strength of direction 2 in modality {}",
}
_ABSENT = "; −1 or NaN where the task has no such thing"


def meaning(name: str) -> str:
    """What a stored array or column holds, in a few words."""
    own = {**ARRAYS, **OWN_COLUMNS}
    if name in own:
        return own[name]
    for prefix, text in _PREFIXES.items():
        if name.startswith(prefix):
            return text.format(name.removeprefix(prefix)) + _ABSENT
    return _CONDITIONS.get(name, f"the condition {name}") + _ABSENT
