"""The plan: every item once, in shards that do not depend on who makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from small_data import LAYOUTS, small

import modcog
from modcog.data.config import ExportConfig
from modcog.data.plan import Plan


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.sampled_from(list(LAYOUTS)), st.integers(10, 3000), st.floats(0.001, 4))
def test_every_item_is_in_one_shard(kind: str, amount: int, shard_mb: float) -> None:
    settings = small(kind, shard_mb=shard_mb)
    settings["sequences" if kind == "stream" else "trials_per_task"] = amount
    plan = Plan(ExportConfig.of(**settings))
    for split, items in plan.config.items().items():
        shards = [shard for shard in plan.shards if shard.split == split]
        assert [shard.start for shard in shards] == [0, *(shard.stop for shard in shards[:-1])]
        assert shards[-1].stop == items
        assert all(shard.start % plan.block == 0 for shard in shards)
    assert len({shard.name for shard in plan.shards}) == len(plan.shards)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_shard_needs_no_other(kind: str) -> None:
    config = ExportConfig.of(**small(kind))
    last = Plan(config).shards[-1]
    alone = Plan(config).data(last)
    after_others = Plan(config)
    for shard in after_others.shards:
        data = after_others.data(shard)
    for name, array in {**alone.arrays, **alone.columns}.items():
        assert_array_equal(array, {**data.arrays, **data.columns}[name])


@pytest.mark.parametrize("rules", ["corrected", "published"])
@pytest.mark.parametrize(
    "more", [{}, {"dt": 30}, {"interval": [100, 2500]}, {"timing": {"delay": ("uniform", (50, 700))}}]
)
def test_no_trial_is_longer_than_the_longest(rules: str, more: dict[str, Any]) -> None:
    tasks = ("dlyantiseql", "ctxdlydm1intlseqr", "dnmcintr", "dms", *(() if "timing" in more else ("gointr",)))
    for task in tasks:
        battery = modcog.Battery([task], rules=rules, **more)
        lengths = battery.sample(2000, seed=0).lengths
        longest = Plan(ExportConfig.of(tasks=[task], rules=rules, **more)).longest
        assert lengths.max() <= longest
        if rules == "corrected":  # the published rules draw some durations once for all trials
            assert longest <= lengths.max() + 2


def test_every_shard_has_every_task() -> None:
    plan = Plan(ExportConfig.of(tasks="yang19", trials_per_task=300, shard_mb=0.5))
    for shard in plan.shards[:-1]:
        counts = np.bincount(plan.trials(shard).task, minlength=20)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "stream", "seq_len": 10**9}, r"seq_len: a sequence would have 132,000 MB, may have 537"),
        ({"timing": {"stimulus": 5e7}, "dim_ring": 1024, "padded": True, "tasks": ["go"]}, "a trial would have 4,098"),
    ],
)
def test_an_item_that_fills_the_memory_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(modcog.ModcogError, match=message):
        Plan(ExportConfig.of(**options))
