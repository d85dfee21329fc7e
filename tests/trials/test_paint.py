"""Painting under settings at the edge: large rings, strong and weak stimuli, bumps that meet, much and no noise.

And on a device: torch paints the same trials as NumPy.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from oracle import Setting, bump
from retelling import difference

import modcog
from modcog.seeds import Part, Purpose, Seed
from modcog.trials import paint
from modcog.trials.backends import TorchBackend
from modcog.trials.source import TrialSource, pack
from modcog.trials.stream import Stream

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


# --- on a device -------------------------------------------------------------------------------

EDGES: dict[str, dict[str, Any]] = {
    "usual": {},
    "short steps": {"dt": 30, "dim_ring": 6},
    "large ring": {"dim_ring": 64, "coherences": (1.0,), "strengths": (1e6, 3.0, 1e-3)},
    "no fixation, long delays": {"timing": {"fixation": 0, "delay": ("choice", (0, 100, 3000))}, "omega": 0.013},
}


def same_bits(numpy: Any, tensor: Any) -> bool:
    """Whether a tensor is an array: dtype, shape, layout and every bit, so that 0 is not −0."""
    array = tensor.numpy()
    same = (array.dtype, array.shape, array.flags.c_contiguous) == (numpy.dtype, numpy.shape, True)
    return same and array.tobytes() == numpy.tobytes()


def on_torch(stream: Stream, seed: Seed, **how: Any) -> Stream:
    return Stream(stream.tables, seed, stream.batch_size, stream.seq_len, device="cpu", **how)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("rule_input", [False, True])
@pytest.mark.parametrize("rules", RULES)
def test_torch_paints_all_tasks_as_numpy_does(rules: str, rule_input: bool, edge: str) -> None:
    """Bit for bit but for noise: batches that cut trials anywhere, either way round, and packed trials."""
    pytest.importorskip("torch")
    battery = modcog.Battery("modcog132", rules=rules, rule_input=rule_input, sigma=0, **EDGES[edge])
    for lanes, length, batch_first in ((40, 130, False), (7, 61, True), (3, 1, False)):
        sizes = {"batch_size": lanes, "seq_len": length, "batch_first": batch_first, "seed": 3}
        ours, theirs = battery.stream(**sizes), battery.stream(**sizes, device="cpu")
        for index in (0, 5):
            assert all(same_bits(a, b) for a, b in zip(ours[index], theirs[index], strict=True))
    source, torch = TrialSource(battery.tables, Seed.of(0, Purpose.SAMPLE)), TorchBackend("cpu")
    drawn = source.draw(0, np.repeat(np.arange(132), 4))
    trials, frame = pack(battery.tables, drawn, source.seed.rng()), paint.frame_of_steps(drawn, torch)
    assert same_bits(trials.packed_observations, paint.observations(battery.tables, drawn, frame, None, 1, torch))
    assert same_bits(trials.packed_labels, paint.labels(battery.tables, drawn, frame, torch))


@pytest.fixture
def gathering() -> Any:
    """A base task of a user's: three bumps on one or both rings, off the grid too; half its trials ask for nothing."""

    def draw(t: modcog.Draw) -> modcog.Outcome:
        direction, half = t["direction"], t["side"] == 1
        beside = (direction + t.fill("beside", t.rng.random(t.n))) % t.dim_ring
        places = ((1 + half, beside, 0.3), (2 - half, direction, 1.0), (2, beside[::-1], 0.1 + half))
        return modcog.Outcome(direction, [modcog.Stimulus(0, *place) for place in places], half)

    conditions = (
        modcog.Condition("direction", "direction"),
        modcog.Condition("side", "flag"),
        modcog.Condition("beside", "strength"),
    )
    periods = {"fixation": 300, "sample": 400, "decision": 300}
    modcog.add_base(
        modcog.Base("gathering", "own", "three bumps", periods, ("sample",), conditions, draw, noise="shown")
    )
    yield
    modcog.remove_base("gathering")


@pytest.mark.parametrize("rules", RULES)
def test_torch_paints_a_user_s_task_as_numpy_does(gathering: None, rules: str) -> None:
    pytest.importorskip("torch")
    battery = modcog.Battery(["gathering", "go", "gatheringseqr"], rules=rules, sigma=0)
    ours, theirs = (battery.stream(30, 100, seed=2, device=device)[0] for device in (None, "cpu"))
    assert all(same_bits(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("rules", RULES)
def test_the_noise_of_torch_is_where_that_of_numpy_is(rules: str, batch_first: bool) -> None:
    """All four kinds of noisy channels; labels and everything else stay as they are without noise."""
    pytest.importorskip("torch")
    quiet = modcog.Battery("modcog132", rules=rules, sigma=0).stream(40, 200, seed=1, batch_first=batch_first)
    loud = modcog.Battery("modcog132", rules=rules).stream(40, 200, seed=1, batch_first=batch_first)
    plain, ours, theirs = quiet[2], loud[2], on_torch(loud, loud._seed, batch_first=batch_first)[2]
    assert same_bits(plain[1], theirs[1])
    noisy = theirs[0].numpy() != plain[0]
    np.testing.assert_array_equal(noisy, ours[0] != plain[0])
    kinds = {tuple(kind) for kind in np.unique(noisy[:, :, [0, 1, 17]].reshape(-1, 3), axis=0).tolist()}
    always = {(False, False, False), (False, True, False), (False, False, True)}
    assert kinds == always | {(rules == "published", True, True)}


def test_the_noise_of_torch_is_white_and_has_sd_sigma_over_root_dt() -> None:
    """In modality 2 of dm1, which shows nothing there: in each channel, over channels, steps, lanes and batches."""
    pytest.importorskip("torch")
    made = modcog.Battery(["dm1"], dt=20, sigma=0.6, dim_ring=8).stream(50, 300, seed=9, device="cpu", batch_first=True)
    ring = np.stack([made[index][0].numpy()[:, :, 9:] for index in range(2)]).astype(float) / (0.6 / np.sqrt(20))
    noise = ring[ring.any(3)]
    n = len(noise)
    assert np.abs(noise.mean(0)).max() < 4 / np.sqrt(n)
    assert np.abs(noise.var(0) - 1).max() < 4 * np.sqrt(2 / n)
    assert np.abs(np.corrcoef(noise.T) - np.eye(8)).max() < 5 / np.sqrt(n)
    assert abs((noise**4).mean() - 3) < 4 * np.sqrt(96 / noise.size), "normal"
    for axis, name in ((2, "steps"), (1, "lanes"), (0, "batches")):
        one, other = np.moveaxis(ring, axis, 0)[:-1], np.moveaxis(ring, axis, 0)[1:]
        both = one.any(-1) & other.any(-1)
        assert abs(np.mean(one[both] * other[both])) < 4 / np.sqrt(both.sum() * 8), name


def test_the_noise_of_torch_is_keyed_by_seed_purpose_and_batch() -> None:
    """And by nothing else: the generators that torch shares are neither read nor moved."""
    torch = pytest.importorskip("torch")
    numpy = modcog.Battery(["dm1"]).stream(8, 60)

    def noise(seed: int, purpose: Purpose, index: int) -> bytes:
        rings = on_torch(numpy, Seed.of(seed, purpose))[index][0].numpy()[..., 17:]
        return rings[rings.any(-1)][:20].tobytes()

    places = [(seed, purpose, index) for seed in (0, 1) for purpose in Purpose for index in (0, 1, 4)]
    state = torch.get_rng_state()
    found = [noise(*place) for place in places]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert [noise(*place) for place in places[::-1]] == found[::-1]
    assert len(set(found)) == len(places)
    assert len({Seed.of(0, Purpose.STREAM).torch_rng("cpu", part).initial_seed() for part in Part}) == len(Part)
