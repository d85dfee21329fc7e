"""Extending: from the target that was drawn to the right action at every step of the decision.

The painter and the ideal observer both come here, so they cannot differ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modcog.trials.draw import Drawn
from modcog.trials.rules import positions
from modcog.trials.tables import Tables


def first_target(tables: Tables, drawn: Drawn) -> NDArray[np.integer]:
    """Return the direction asked for at the first step of each decision, (n,): the interval has moved the target."""
    return tables.rules.move(drawn.target, tables.move_sign[drawn.task], drawn.interval_ms, tables.settings)


def labels(
    tables: Tables, task: NDArray[np.integer], target: NDArray[np.integer], step: NDArray[np.integer]
) -> NDArray[np.integer]:
    """Return the right actions, (m,), at steps of decisions that ask for a response.

    At step ``step``, (m,), of a decision, counted from 0, the sequence extension has moved the direction asked for
    first, ``target`` (m,), by sign · floor(omega · step · dt) positions (Khona et al. 2023).
    """
    settings = tables.settings
    travelled = positions(settings.omega, np.arange(step.max(initial=0) + 1) * settings.dt)
    return tables.rules.label(target, tables.sequence_sign[task] * travelled[step], settings.dim_ring)
