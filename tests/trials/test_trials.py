"""Trials: packed, padded when asked for, cut and joined."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import modcog
from modcog.trials.arrays import IGNORE, Trials, concatenate

TASKS = ("rtgo", "dms", "multidmseqr")


@pytest.fixture(scope="module")
def trials() -> Trials:
    return modcog.Battery(list(TASKS), dim_ring=8).sample(per_task=6, seed=1)


def test_padding_is_zeros_and_the_label_that_losses_ignore(trials: Trials) -> None:
    """Trial by trial: what is packed, then nothing."""
    torch = pytest.importorskip("torch")
    assert torch.nn.CrossEntropyLoss().ignore_index == IGNORE == -100
    longest = max(trials.lengths)
    assert trials.observations.shape == (18, longest, 17)
    assert trials.labels.shape == trials.mask.shape == (18, longest)
    begin = 0
    for row, length in enumerate(trials.lengths):
        assert_array_equal(trials.observations[row, :length], trials.packed_observations[begin : begin + length])
        assert_array_equal(trials.labels[row, :length], trials.packed_labels[begin : begin + length])
        assert not trials.observations[row, length:].any()
        assert set(trials.labels[row, length:].tolist()) <= {-100}
        assert trials.mask[row].sum() == length
        assert trials.mask[row, :length].all()
        begin += length
    assert begin == len(trials.packed_labels) == trials.offsets[-1]


def test_types(trials: Trials) -> None:
    types = {
        "observations": np.float32, "packed_observations": np.float32, "labels": np.int64, "packed_labels": np.int64,
        "mask": np.bool_, "lengths": np.int64, "offsets": np.int64, "task": np.int64, "decision_start": np.int64,
    }  # fmt: skip
    assert {name: getattr(trials, name).dtype for name in types} == {
        name: np.dtype(kind) for name, kind in types.items()
    }


def test_periods_fill_a_trial(trials: Trials) -> None:
    for row in range(len(trials)):
        steps = trials.period_steps(row)
        assert sum(steps.values()) == trials.lengths[row]
        assert list(steps)[-1] == "decision"
        assert sum(list(steps.values())[:-1]) == trials.decision_start[row]
    assert list(trials.period_steps(0)) == ["fixation", "decision"]
    assert list(trials.period_steps(7)) == ["fixation", "sample", "delay", "test", "decision"]
    assert trials.period_steps(17)["decision"] == 10


def test_rows_hold_what_a_task_has_as_plain_numbers(trials: Trials) -> None:
    for row, said in enumerate(trials.rows):
        assert {type(value) for value in said.values()} <= {int, float}
        for name, column in trials.conditions.items():
            has = not (column[row] == -1 or np.isnan(column[row]))
            assert (name in said) == has
            assert not has or said[name] == column[row]
    assert "match" in trials.rows[6]
    assert "match" not in trials.rows[0]


@pytest.mark.parametrize("cut", [slice(0, 18), slice(2, 9), slice(None, -3), slice(5, 5), slice(9, 2), slice(100, 200)])
def test_a_slice_holds_the_trials_of_that_stretch(trials: Trials, cut: slice) -> None:
    rows = range(18)[cut]
    part = trials[cut]
    assert len(part) == len(rows)
    assert_array_equal(part.task, trials.task[cut])
    assert part.offsets[0] == 0
    for index, row in enumerate(rows):
        length = trials.lengths[row]
        assert part.lengths[index] == length
        assert_array_equal(part.observations[index, :length], trials.observations[row, :length])
        assert_array_equal(part.labels[index, :length], trials.labels[row, :length])
        assert part.rows[index] == trials.rows[row]
    assert part.mask.shape == (len(rows), max(trials.lengths[cut], default=0))


@pytest.mark.parametrize("index", [0, 7, 17, -1, -18, np.int64(3)])
def test_an_index_gives_a_batch_of_one(trials: Trials, index: int) -> None:
    one = trials[index]
    assert len(one) == 1
    assert_array_equal(one.packed_labels, trials.labels[index][trials.mask[index]])
    assert one.rows == [trials.rows[index]]


@pytest.mark.parametrize("index", [18, -19, 10**9])
def test_an_index_outside_is_an_index_error(trials: Trials, index: int) -> None:
    with pytest.raises(IndexError, match=f"trial {index} of 18"):
        trials[index]


@pytest.mark.parametrize("cut", [slice(None, None, 2), slice(None, None, -1)])
def test_a_slice_with_a_step_is_refused(trials: Trials, cut: slice) -> None:
    with pytest.raises(IndexError, match="contiguously"):
        trials[cut]


def test_trials_can_be_gone_through(trials: Trials) -> None:
    assert [len(one) for one in trials] == [1] * 18


def test_a_slice_is_a_view(trials: Trials) -> None:
    assert np.shares_memory(trials[3:5].packed_observations, trials.packed_observations)


def test_parts_join_to_the_whole(trials: Trials) -> None:
    joined = concatenate([trials[:1], trials[1:7], trials[7:7], trials[7:]])
    for name in ("packed_observations", "packed_labels", "offsets", "task", "decision_start", "observations", "labels"):
        assert_array_equal(getattr(joined, name), getattr(trials, name), err_msg=name)
    for name, column in trials.conditions.items():
        assert_array_equal(joined.conditions[name], column, err_msg=name)
        assert joined.conditions[name].dtype == column.dtype
    assert (joined.tasks, joined.dt, joined.periods) == (trials.tasks, trials.dt, trials.periods)


def test_the_repr_is_one_short_line() -> None:
    few, many = (modcog.Battery(tasks).sample(100, seed=0) for tasks in (["go", "dms"], "modcog132"))
    assert repr(few).startswith("Trials(100 of go, dms: ")
    assert len(repr(many)) < 100
    assert "\n" not in repr(many)


def test_trials_are_a_small_table_in_a_notebook() -> None:
    table = modcog.Battery("modcog132").sample(per_task=3, seed=0)._repr_html_()
    assert table.startswith("<table><caption>396 of 132 tasks: ")
    assert table.count("<tr>") == 25
    assert '<td style="text-align:left">go</td><td style="text-align:right">3</td>' in table


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("tasks", {"tasks": ["rtgo", "dms"]}),
        ("dt", {"dt": 50}),
        ("dim_ring", {"dim_ring": 16}),
        ("n_channels", {"rule_input": True}),
    ],
)
def test_parts_of_different_batteries_are_not_joined(trials: Trials, name: str, other: dict) -> None:
    strange = modcog.Battery(**{"tasks": list(TASKS), "dim_ring": 8, **other}).sample(2, seed=0)
    for parts in ([trials, strange], [trials[:0], trials, strange]):
        with pytest.raises(modcog.ModcogError, match=f"parts differ in {name}, must come from the same battery"):
            concatenate(parts)
