"""Painting under settings at the edge: large rings, strong and weak stimuli, bumps that meet, much and no noise."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from oracle import Setting, bump
from retelling import difference

import modcog

RULES = ("corrected", "published")


def sample(tasks: list[str], setting: Setting, count: int = 8, **more: Any) -> modcog.Trials:
    return modcog.Battery(tasks, **{"sigma": 0.0, **setting.keywords(), **more}).sample(per_task=count, seed=4)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("n", [4, 6, 16, 64, 250])
def test_bumps_on_rings_of_any_size(n: int, rules: str) -> None:
    """Off the grid too, under the published rules."""
    tasks = ["go", "dlyantiintl", "multidm", "ctxdlydm2", "dnmc"]
    setting = Setting(n=n, rules=rules)
    trials = sample(tasks, setting)
    assert [found for row in range(40) if (found := difference(tasks[row // 8], trials, row, setting))] == []


def test_two_bumps_on_one_ring_add_up() -> None:
    """Neighbours on a fine ring overlap almost wholly; nothing is cut or overwritten."""
    setting = Setting(n=64, coherences=(1.0,))
    trials = sample(["multidm"], setting, 30)
    for row, said in enumerate(trials.rows):
        for modality in (1, 2):
            bumps = [
                said[f"strength{k}_mod{modality}"] * bump(np.array(2 * np.pi * said[f"direction{k}"] / 64), 64)
                for k in (1, 2)
            ]
            ring = trials.observations[row, said["steps_fixation"], 1 + 64 * (modality - 1) : 1 + 64 * modality]
            np.testing.assert_allclose(ring, bumps[0] + bumps[1], atol=2e-6)


def test_very_strong_and_very_weak_stimuli() -> None:
    setting = Setting(n=8, strengths=(1e6, 3.0, 1e-3))
    trials = sample(["dlydm1", "multidlydm"], setting, 20)
    assert [
        found for row in range(40) if (found := difference(["dlydm1", "multidlydm"][row // 20], trials, row, setting))
    ] == []


def test_the_steps_of_a_period_are_alike_without_noise() -> None:
    trials = sample(["dlydm2intr", "dmsseql"], Setting(dt=20, n=8))
    for row in range(len(trials)):
        ends = np.cumsum([0, *trials.period_steps(row).values()])
        for begin, end in pairwise(ends):
            period = trials.observations[row, begin:end]
            assert (period == period[:1]).all()


@pytest.mark.parametrize("sigma", [1e-3, 1e6])
def test_noise_scales_over_nine_orders(sigma: float) -> None:
    trials = sample(["dm1"], Setting(n=8), 400, sigma=sigma)
    ring = trials.packed_observations[:, 9:].astype(float)
    noise = ring[ring.any(1)] / (sigma / 10)
    assert noise.std() == pytest.approx(1, abs=4 / np.sqrt(2 * noise.size))
    assert np.isfinite(noise).all()


def test_match_noise_is_on_the_shown_ring_in_each_of_many_trials() -> None:
    trials = sample(["dmc"], Setting(n=8), 100, sigma=1.0)
    for row, said in enumerate(trials.rows):
        rings = trials.observations[row, :, 1:].reshape(-1, 2, 8)
        active = (rings != 0).any(2)
        assert not active[:, 2 - said["modality"]].any()
        assert active[:, said["modality"] - 1].sum() == 10
