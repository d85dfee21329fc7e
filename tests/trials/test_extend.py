"""Interval and sequence: against arithmetic on whole numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modcog import Battery
from modcog.settings import Settings
from modcog.trials import extend
from modcog.trials.rules import Rules, positions


@settings(deadline=None, max_examples=300, derandomize=True)
@given(thousandths=st.integers(0, 5000), tenths=st.integers(0, 120_000))
def test_positions_are_rounded_down_exactly(thousandths: int, tenths: int) -> None:
    """omega · ms in whole ten-thousandths: no binary rounding tips the floor."""
    found = positions(thousandths / 1000, np.array([tenths / 10]))
    assert found.tolist() == [thousandths * tenths // 10_000]


@pytest.mark.parametrize(
    ("omega", "ms", "moved"),
    [(0.01, 100, 1), (0.01, 99, 0), (0.01, 1200, 12), (0.29, 100, 29), (0.036, 750, 27), (0.07, 200, 14), (0, 1e6, 0),
     (1000, 1e9, 10**12)],
)  # fmt: skip
def test_positions_worked_out_by_hand(omega: float, ms: float, moved: int) -> None:
    assert positions(omega, np.array([ms])).tolist() == [moved]


def test_interval_moves_by_its_sign_and_round_the_ring() -> None:
    given = Settings(dim_ring=8)
    target, sign = np.array([7, 0, 3, 5]), np.array([1, -1, 0, -1])
    ms = np.array([100.0, 350.0, 900.0, 2100.0])
    assert Rules().move(target, sign, ms, given).tolist() == [0, 5, 3, 0]


def test_interval_knows_no_size_of_the_ring() -> None:
    """One position per 100 ms, whatever n is."""
    for n in (4, 16, 64):
        moved = Rules().move(np.zeros(3, int), np.ones(3, int), np.array([100.0, 200.0, 300.0]), Settings(dim_ring=n))
        assert moved.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("dt", "omega", "expected"),
    [
        (100, 0.01, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (50, 0.01, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
        (30, 0.01, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]),
        (100 / 3, 0.01, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]),
        (100, 0.025, [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]),
        (100, 0, [0] * 10),
    ],
)
def test_sequence_goes_on_step_by_step(dt: float, omega: float, expected: list[int]) -> None:
    tables = Battery(["goseqr", "goseql", "go"], dt=dt, omega=omega, dim_ring=64).tables
    for task, sign in enumerate((1, -1, 0)):
        labels = extend.labels(tables, np.full(10, task), np.full(10, 5), np.arange(10))
        assert labels.tolist() == [1 + (5 + sign * k) % 64 for k in expected]


def test_sequence_takes_steps_in_any_order_and_none() -> None:
    tables, none = Battery(["goseqr", "goseql"]).tables, np.zeros(0, int)
    labels = extend.labels(tables, np.array([0, 1, 0]), np.zeros(3, int), np.array([9, 0, 2]))
    assert labels.tolist() == [10, 1, 3]
    assert extend.labels(tables, none, none, none).shape == (0,)
