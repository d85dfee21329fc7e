"""The same seed gives the same trials with every version of Python and NumPy, on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from modcog import Battery

DIGESTS = {
    ("corrected", "sample"): "484438fc4b828a23",
    ("corrected", "per_task"): "7415123643ebd625",
    ("corrected", "stream"): "eadf17946637e98f",
    ("published", "sample"): "60aac0798cb9cc2e",
    ("published", "per_task"): "440419d6ed272d70",
    ("published", "stream"): "1b2e7968fae2a4a6",
}
"""Of the trials of seed 5. They change only with the trials themselves, which the changelog must then say."""


def digest(*arrays: np.ndarray) -> str:
    """Return a hash of arrays; fractions are rounded, since the last bit of an exponential is the processor's."""
    found = hashlib.sha256()
    for array in arrays:
        whole = np.round(np.nan_to_num(array, nan=-1.0) * 2**12) if array.dtype.kind == "f" else array
        found.update(whole.astype("<i8").tobytes())
    return found.hexdigest()[:16]


@pytest.mark.parametrize(("rules", "how"), DIGESTS)
def test_trials_are_those_of_every_other_machine(rules: str, how: str) -> None:
    battery = Battery("modcog132", rules=rules, dt=50)
    if how == "stream":
        stream = battery.stream(16, 120, seed=5)
        found = digest(*next(stream), *next(stream))
    else:
        trials = battery.sample(**{"n" if how == "sample" else how: 700 if how == "sample" else 5}, seed=5)
        columns = [trials.conditions[name] for name in sorted(trials.conditions)]
        found = digest(trials.packed_observations, trials.packed_labels, trials.offsets, *columns)
    assert found == DIGESTS[rules, how]
