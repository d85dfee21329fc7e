"""Extending: from the target that was drawn to the right action at every step of the decision.

The painter and the ideal observer both come here, so they cannot differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modcog.trials.backends import NUMPY, NumpyBackend
from modcog.trials.draw import Drawn
from modcog.trials.rules import positions
from modcog.trials.tables import Tables


def first_target(tables: Tables, drawn: Drawn) -> NDArray[np.integer]:
    """Return the direction asked for at the first step of each decision, (n,): the interval has moved the target."""
    return tables.rules.move(drawn.target, tables.move_sign[drawn.task], drawn.interval_ms, tables.settings)


def labels(
    tables: Tables, task: Any, target: Any, step: Any, longest: int | None = None, on: NumpyBackend = NUMPY
) -> Any:
    """Return the right actions, (m,), at steps of decisions that ask for a response.

    At step ``step``, (m,), of a decision, counted from 0, the sequence extension has moved the direction asked for
    first, ``target`` (m,), by sign · floor(omega · step · dt) positions (Khona et al. 2023). ``longest`` is a number of
    steps that no decision exceeds; None: it is looked up in ``step``. ``on`` is the backend of all these.
    """
    settings = tables.settings
    longest = int(step.max(initial=0)) + 1 if longest is None else longest
    (travelled,) = on.put(positions(settings.omega, np.arange(longest) * settings.dt))
    moved = on.take(on.keep(tables.sequence_sign), task) * on.take(travelled, step)
    return tables.rules.label(target, moved, settings.dim_ring)
