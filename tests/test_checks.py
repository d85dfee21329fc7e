"""Values that NumPy would follow until the memory is full are refused in one line wherever arrays are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modcog import Battery, Condition, ModcogError, evaluate
from modcog.checks import as_array
from modcog.envs.env import ModCogEnv
from modcog.envs.vector import ModCogVectorEnv
from modcog.models import masks
from modcog.settings import Settings
from tests.hostile import doubled, looped

BAD: dict[str, Any] = {"loop": looped(), "doubled": doubled(), "range": range(10**12), "ragged": [[1], [1, 2]]}


def played(env: Any) -> Any:
    env.reset(seed=0)
    return env


TAKES: dict[str, Callable[[Any], Any]] = {
    "condition": lambda value: played(ModCogEnv("go")).new_trial(direction=value),
    "actions": lambda value: played(ModCogVectorEnv("go", 2)).step(value),
    "mask": masks.custom,
    "output": lambda value: evaluate(lambda x: value, Battery(["go"]), 2),
    "values": lambda value: Condition("turn", "count", values=value).rows(Settings(), {}),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("takes", TAKES)
def test_what_is_no_array_of_numbers_is_refused(takes: str, bad: str) -> None:
    with pytest.raises(ModcogError) as caught:
        TAKES[takes](BAD[bad])
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("value", [3, [1, 2], ((1, 2), (3, 4)), range(3), np.zeros((2, 2, 2)), [np.ones(2)], "x"])
def test_anything_else_is_left_to_numpy(value: Any) -> None:
    assert np.array_equal(as_array(value, 2), np.asarray(value))
