"""Extending: from the target that was drawn to the right action at every step of the decision.

The painter and the ideal observer both come here, so they cannot differ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modcog.trials import moves
from modcog.trials.draw import Drawn
from modcog.trials.tables import Tables


def first_target(tables: Tables, drawn: Drawn) -> NDArray[np.integer]:
    """Return the direction asked for at the first step of each decision, (n,): the interval has moved the target."""
    sign = tables.move_sign[drawn.task]
    return tables.rules.move(drawn.target, sign, drawn.interval_ms, tables.settings)


def labels(
    tables: Tables, task: NDArray[np.integer], target: NDArray[np.integer], step: NDArray[np.integer]
) -> NDArray[np.integer]:
    """Return the right actions at steps of decisions that ask for a response.

    Args:
        tables: the battery.
        task: (m,) task indices.
        target: (m,) directions asked for at the first step of the decision.
        step: (m,) steps within the decision, from 0.

    Returns:
        (m,) labels of the targets where the sequence has moved them.
    """
    moved = moves.sequence(tables.sequence_sign[task], step, tables.settings)
    return tables.rules.label(target, moved, tables.settings.dim_ring)
