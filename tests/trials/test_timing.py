"""From milliseconds to steps: against fractions, which do not round."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import evenness

from modcog.errors import ModcogError
from modcog.settings import Timing
from modcog.trials.timing import TimingTable, bounds, check_timing, compile_timing, expected, normal_form, whole_steps


def compiled(timings: list[dict[str, Any]]) -> TimingTable:
    """Compile timings under which no delay is kept."""
    return compile_timing(timings, [("cue",)] * len(timings), 100, [-1] * len(timings), [False] * len(timings))


@settings(deadline=None, max_examples=200, derandomize=True)
@given(steps=st.integers(0, 100_000), tenths=st.integers(1, 20_000))
def test_a_whole_number_of_steps_is_that_number(steps: int, tenths: int) -> None:
    """Steps · dt ms last that many steps, however dt rounds in binary."""
    dt = tenths / 10
    ms = float(Fraction(steps * tenths, 10))
    assert whole_steps(np.array([ms]), dt).tolist() == [steps]
    if steps:
        assert whole_steps(np.array([ms - dt * 1e-3]), dt).tolist() == [steps - 1]


@settings(deadline=None, max_examples=200, derandomize=True)
@given(ms=st.integers(0, 100_000), hundredths=st.integers(1, 100_000))
def test_steps_are_rounded_down(ms: int, hundredths: int) -> None:
    exact = Fraction(ms * 100, hundredths)
    assert whole_steps(np.array([float(ms)]), hundredths / 100)[0] == math.floor(exact + Fraction(1, 10**9))


@pytest.mark.parametrize(
    ("ms", "dt", "steps"),
    [(500, 100, 5), (500, 30, 16), (500, 33.3, 15), (500, 100 / 3, 15), (99.9, 33.3, 3), (0.3, 0.1, 3), (0.7, 0.1, 7),
     (1000, 1000, 1), (999, 1000, 0), (0, 7, 0)],
)  # fmt: skip
def test_steps_worked_out_by_hand(ms: float, dt: float, steps: int) -> None:
    assert whole_steps(np.array([ms]), dt).tolist() == [steps]


@pytest.mark.parametrize(
    ("duration", "form"),
    [
        (500, ("uniform", (500.0, 500.0))),
        ((100.0, 300.0), ("choice", (100.0, 300.0))),
        (("uniform", (100.0, 300.0)), ("uniform", (100.0, 300.0))),
        (("choice", (100.0,)), ("choice", (100.0,))),
        (("truncated_exponential", (100.0, 50.0, 400.0)), ("truncated_exponential", (100.0, 50.0, 400.0))),
        (("truncated_exponential", (100.0,)), ("truncated_exponential", (100.0, 0.0, 100 * 53 * math.log(2)))),
        (abs, ("function", ())),
    ],
    ids=str,
)
def test_every_form_has_a_normal_form(duration: Any, form: Any) -> None:
    assert normal_form(duration) == form


TIMINGS: list[dict[str, Any]] = [
    {"a": 300, "b": ("uniform", (200, 500))},
    {"a": ("choice", (1.0, 2.0, 4.0)), "b": 0, "c": (7.0, 9.0)},
]


def test_durations_are_drawn_as_each_task_says() -> None:
    table = compiled(TIMINGS)
    task = np.tile([0, 1], 3000)
    ms = table.draw(task, np.random.default_rng(1))
    first, second = ms[task == 0], ms[task == 1]
    assert ms.shape == (6000, 3)
    assert (first[:, 0] == 300).all()
    assert first[:, 1].min() >= 200
    assert first[:, 1].max() < 500
    assert evenness((first[:, 1] - 200).astype(int) // 20, 15) == ""
    assert (first[:, 2] == 0).all(), "a period that the task does not have lasts nothing"
    kinds = np.searchsorted([1, 2, 4], second[:, 0]) * 2 + np.searchsorted([7, 9], second[:, 2])
    assert evenness(kinds, 6) == "", "two periods of one trial are not independent"
    assert (second[:, 1] == 0).all()


def test_a_task_s_durations_do_not_depend_on_the_others_in_the_table() -> None:
    alone, among = compiled(TIMINGS[1:]), compiled([*TIMINGS, {"d": 5, "e": 5, "f": 5, "g": (1.0, 2.0)}])
    first = alone.draw(np.zeros(50, int), np.random.default_rng(2))
    second = among.draw(np.ones(50, int), np.random.default_rng(2))
    np.testing.assert_array_equal(second[:, :3], first)


# --- neurogym's distributions ------------------------------------------------------------------


@pytest.mark.parametrize(
    "numbers", [(300.0, 100.0, 900.0), (300.0, 100.0), (300.0,), (1e6, 0.0, 500.0), (20.0, 0.0, 1000.0)], ids=str
)
def test_an_exponential_duration_is_neurogyms(numbers: tuple[float, ...]) -> None:
    """The distribution function of neurogym's rejection sampler, which is known in closed form."""
    duration: Timing = ("truncated_exponential", numbers)
    ms = compiled([{"a": duration}]).draw(np.zeros(20_000, int), np.random.default_rng(3))[:, 0]
    shortest, longest = bounds(duration)
    assert shortest <= ms.min() <= ms.max() <= longest
    mean = numbers[0]
    share = np.expm1(-(np.sort(ms) - shortest) / mean) / np.expm1(-(longest - shortest) / mean)
    assert np.abs(share - (np.arange(20_000) + 0.5) / 20_000).max() < 0.014, "by Kolmogorov and Smirnov"
    assert ms.mean() == pytest.approx(expected(duration), rel=0.03)


def test_other_durations_stay_as_they_were_beside_the_new_ones() -> None:
    new: list[dict[str, Any]] = [{"a": ("truncated_exponential", (300.0, 100.0, 900.0)), "b": lambda rng: rng.random()}]
    among = compiled([*TIMINGS, *new]).draw(np.tile([0, 1], 50), np.random.default_rng(1))
    np.testing.assert_array_equal(among, compiled(TIMINGS).draw(np.tile([0, 1], 50), np.random.default_rng(1)))


class Waits:
    """Random numbers as neurogym makes them: a call without arguments, and a method that seeds them."""

    def seed(self, seed: int) -> None:
        self.rng = np.random.RandomState(seed)

    def __call__(self, *args: Any, **kwargs: Any) -> float:
        return self.rng.uniform(200, 500)


def with_random_state(size: int | None = None, random_state: Any = None) -> float:
    return random_state.uniform(200, 500)


@pytest.mark.parametrize(
    "function",
    [lambda rng: rng.uniform(200, 500), lambda r: r.uniform(200, 500), with_random_state, Waits(),
     lambda low=200, rng=None: rng.uniform(low, 500)],
)  # fmt: skip
def test_functions_draw_from_the_seed(function: Any) -> None:
    table = compiled([{"a": function}, {"a": 100}])
    task = np.array([0, 1, 0, 0])
    first, again, other = (table.draw(task, np.random.default_rng(seed))[:, 0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first[1] == 100
    drawn = np.concatenate([first, other])[[0, 2, 3, 4, 6, 7]]
    assert len(set(drawn)) == 6
    assert 200 <= drawn.min() <= drawn.max() < 500


def test_a_function_that_takes_nothing_is_called_for_each_trial() -> None:
    numbers = iter(range(100, 1000, 100))
    table = compiled([{"a": 5, "b": lambda: next(numbers)}])
    assert table.draw(np.zeros(3, int), np.random.default_rng(0)).tolist() == [[5, 100], [5, 200], [5, 300]]


@pytest.mark.parametrize(
    ("period", "returns", "message"),
    [
        ("a", lambda: "5", r"the function of a returned '5', must be a number of ms from 0 to 1e\+09"),
        ("a", lambda: -1, "the function of a returned -1"),
        ("a", lambda: math.nan, "the function of a returned nan"),
        ("a", lambda: None, "the function of a returned None"),
        ("a", lambda: [1], r"the function of a returned \[1\]"),
        ("a", lambda: 1 / 0, "the function of a failed: ZeroDivisionError: division by zero"),
        ("a", lambda: 2e8, "the function of a makes a trial longer than the 1000000 steps allowed"),
        ("cue", lambda: 99, "the function of cue returned 99, must be a number of ms from 100"),
        ("decision", lambda: 0, "the function of decision returned 0, must be a number of ms from 100"),
    ],
)
def test_a_function_that_returns_something_else_is_refused(period: str, returns: Any, message: str) -> None:
    table = compiled([{period: returns}])
    with pytest.raises(ModcogError, match=f"^timing: {message}") as caught:
        table.draw(np.zeros(2, int), np.random.default_rng(0))
    assert "\n" not in str(caught.value)


# --- what is not playable ----------------------------------------------------------------------


def check(dt: float, setting: dict[str, str] | None = None, **timing: Any) -> None:
    check_timing("mine", timing, ("cue",), dt, setting or {})


@pytest.mark.parametrize(
    ("timing", "dt"),
    [
        ({"cue": 100, "decision": 100}, 100),
        ({"cue": 99.9, "decision": 33.3}, 33.3),
        ({"rest": 0, "cue": (100.0, 200.0), "decision": ("uniform", (100.0, 200.0))}, 100),
        ({"rest": 99_999_800, "cue": 100, "decision": 100}, 100),
    ],
    ids=str,
)
def test_a_playable_timing_passes(timing: dict[str, Any], dt: float) -> None:
    check(dt, **timing)


@pytest.mark.parametrize(
    ("timing", "dt", "setting", "message"),
    [
        ({"cue": 500, "decision": 99}, 100, {},
         "dt: got 100, longer than the 99 ms that decision of mine can last, which leaves a trial without a decision; "
         "must be at most 99"),
        ({"cue": (500.0, 20.0), "decision": 200}, 100, {},
         "dt: got 100, longer than the 20 ms that cue of mine can last, which leaves a trial without a visible "
         "stimulus; must be at most 20"),
        ({"cue": 500, "decision": ("uniform", (0.0, 200.0))}, 100, {"decision": "timing"},
         "timing: decision of mine can last 0 ms, less than one step of dt 100 ms, which leaves a trial without a "
         "decision; must be at least 100"),
        ({"cue": 5e8, "decision": 200}, 100, {"cue": "interval"},
         "interval: cue of mine can last 5e+08 ms, which makes a trial of mine 5e+06 steps long; at most 1000000 are "
         "allowed"),
        ({"cue": 500, "decision": 200}, 1e-6, {"rest": "timing"},
         "dt: got 1e-06, which makes a trial of mine 7e+08 steps long; at most 1000000 are allowed"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_an_unplayable_timing_names_what_makes_it_so(
    timing: dict[str, Any], dt: float, setting: dict[str, str], message: str
) -> None:
    with pytest.raises(ModcogError) as caught:
        check(dt, setting, **timing)
    assert str(caught.value) == message
