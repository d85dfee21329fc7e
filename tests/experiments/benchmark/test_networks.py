"""Networks that are trained already: which objects count as one, and which functions make one."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from modcog import Battery
from modcog.errors import ModcogError
from modcog.experiments.benchmark.bench import score_object
from modcog.user_code import is_factory

GIVEN = {"n_inputs": 3, "n_outputs": 2, "hidden": 4, "seed": 0}


def predict(observations):
    return np.zeros(observations.shape[:2], int)


class Callable:
    def __call__(self, observations):
        return predict(observations)


class Anything:
    """As models of Keras do, it takes whatever it is called with."""

    def __call__(self, *args, **kwargs):
        return predict(*args, **kwargs)


@pytest.mark.parametrize(
    "network", [predict, Callable(), Anything(), lambda *args: 0, torch.nn.Linear(3, 2), partial(predict), np.sin]
)
def test_these_are_networks(network) -> None:
    assert not is_factory(network, GIVEN)


@pytest.mark.parametrize(
    "function",
    [
        lambda: predict,
        lambda n_inputs, n_outputs, seed: predict,
        lambda n_outputs, depth=3: predict,
        lambda **options: predict,
        lambda *args, hidden=3, **options: predict,
        Anything,
        Callable,
    ],
)
def test_these_make_networks(function) -> None:
    assert is_factory(function, GIVEN)


def made_with(function, **options) -> dict:
    """Return the arguments that a function which makes a network was called with."""
    seen = {}

    def note(**given):
        seen.update(given)
        return predict

    note.__signature__ = __import__("inspect").signature(function)
    score_object(note, "noted", Battery(["go"]), 2, 0, 1, options)
    return seen


def test_a_function_gets_what_it_takes_and_keeps_its_own_defaults() -> None:
    assert made_with(lambda n_outputs, hidden: 0) == {"n_outputs": 17, "hidden": 256}
    assert made_with(lambda n_outputs, hidden=8: 0) == {"n_outputs": 17}
    assert made_with(lambda hidden=8, depth=1: 0, hidden=5, depth=2) == {"hidden": 5, "depth": 2}
    assert made_with(lambda **rest: 0, depth=2) == {"n_inputs": 33, "n_outputs": 17, "seed": 0, "depth": 2}


def test_a_network_as_it_is_and_as_it_is_made_score_the_same() -> None:
    battery = Battery(["dms"])
    (one,) = score_object(predict, "one", battery, 50, 3, 1, {})
    (other,) = score_object(lambda: predict, "other", battery, 50, 3, 5, {})
    assert one["scores"] == other["scores"]
    assert 0.2 < one["scores"]["dms"]["decision_accuracy"] < 0.8


def test_what_a_function_says_when_it_fails_is_kept() -> None:
    def fails(n_inputs):
        raise OSError("no\nweights")

    with pytest.raises(ModcogError, match=r"^mine: called with n_inputs, it failed: OSError: no weights$"):
        score_object(fails, "mine", Battery(["go"]), 2, 0, 1, {})
