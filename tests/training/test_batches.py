"""Batches: every step of every trial once, weighted as asked, the same whenever they are asked for."""

from collections import Counter

import numpy as np
import pytest
import torch

from modcog import Battery
from modcog.training.batches import TOGETHER, held_out, make_batches, pad_trials
from modcog.trials.arrays import IGNORE


def sequences(batch) -> Counter[bytes]:
    """Every unpadded sequence of a batch: its observations as bytes."""
    found = Counter()
    for part in batch.parts:
        for lane in range(part.labels.shape[1]):
            there = part.labels[:, lane] != IGNORE
            found[part.observations[there, lane].numpy().tobytes()] += 1
    return found


def same(a, b) -> bool:
    pairs = zip(a.parts, b.parts, strict=True)
    return all(torch.equal(p.observations, q.observations) and torch.equal(p.labels, q.labels) for p, q in pairs)


@pytest.fixture(scope="module")
def battery() -> Battery:
    return Battery(["rtgo", "dlydm1", "dmsintlseql", "goseqr"])


@pytest.mark.parametrize("rule_input", [True, False])
def test_parts_hold_every_chosen_trial_once_with_its_own_labels_and_weights(small, battery, rule_input):
    chosen = 3 * TOGETHER - 7
    config = small(tasks=battery.tasks, decision_weight=7, battery={"rule_input": rule_input})
    batch = pad_trials(battery.sample(chosen + 50, seed=4), np.arange(chosen)[::-1], config)
    trials = Battery(battery.tasks, rule_input=rule_input).sample(chosen, seed=4)
    assert len(batch.parts) == 3
    assert sequences(batch) == Counter(trials[i].packed_observations.tobytes() for i in range(len(trials)))
    assert batch.n_trials == len(trials)
    decision = sum(int(length - start) for length, start in zip(trials.lengths, trials.decision_start, strict=True))
    assert batch.weight == 7 * decision + (trials.lengths.sum() - decision)
    for part in batch.parts:
        padding = part.labels == IGNORE
        channels = trials.packed_observations.shape[1] - config.rule_places.width
        assert not part.observations[padding][:, :channels].any()
        rule = part.observations[..., channels:]
        assert torch.equal(rule, rule[:1].expand_as(rule))  # goes on in the padding
        assert not part.weights[padding].any()
        cue_is_off = part.observations[..., 0] == 0  # the decision, in the corrected rules
        assert torch.equal(part.weights[~padding], torch.where(cue_is_off, 7.0, 1.0)[~padding])


def test_little_is_spent_on_padding(small, battery):
    config = small(decision_weight=1, tasks=battery.tasks)
    batch = pad_trials(battery.sample(512, seed=0), np.arange(512), config)
    padded = sum(part.labels.numel() for part in batch.parts)
    assert batch.weight > 0.85 * padded


@pytest.mark.parametrize("layout", ["trials", "stream"])
def test_a_batch_depends_on_its_number_alone(small, layout):
    config = small(layout=layout, seq_len=25, batch_size=200, tasks=["dm1", "dlydm2"])  # noisy: no two are alike
    battery = Battery.from_config(config.battery_settings())
    in_order = make_batches(config, battery)
    first = [in_order(i) for i in range(8)]
    for index in (6, 0, 7, 5):
        assert same(make_batches(config, battery)(index), first[index])
    assert not any(sequences(first[0]) & sequences(other) for other in first[1:])


@pytest.mark.parametrize("layout", ["trials", "stream"])
def test_no_two_processes_learn_from_the_same_trials(small, layout):
    config = small(layout=layout, seq_len=40, tasks=["dm1"], batch_size=200)
    battery = Battery.from_config(config.battery_settings())
    of_rank = [make_batches(config, battery, rank, 2) for rank in range(2)]
    seen = [set().union(*(sequences(batches(i)) for i in range(10))) for batches in of_rank]
    assert not seen[0] & seen[1]


def test_the_stream_weighs_decisions_and_counts_trials(small):
    config = small(tasks=["goseqr", "dms", "multidm"], layout="stream", seq_len=60, batch_size=30, decision_weight=4)
    battery = Battery.from_config(config.battery_settings())
    batch = make_batches(config, battery)(3)
    (part,) = batch.parts
    off = part.observations[..., 0] == 0
    assert torch.equal(part.weights, torch.where(off, 4.0, 1.0))
    began = int((~off[0]).sum() + (off[:-1] & ~off[1:]).sum())
    assert batch.n_trials == began


def test_a_stream_made_on_a_device_is_that_of_the_host(small):
    """Bit for bit, since these tasks have no noise."""
    config = small(tasks=["go", "dlygointr", "goseqr"], layout="stream", seq_len=60, batch_size=30, decision_weight=4)
    battery = Battery.from_config(config.battery_settings())
    ours, theirs = (make_batches(config, battery, 1, 2, device)(3) for device in (None, torch.device("cpu")))
    ((host,), (device,)) = ours.parts, theirs.parts
    for name in ("observations", "labels", "weights"):
        one, other = getattr(host, name), getattr(device, name)
        assert torch.equal(one, other), name
        assert one.dtype == other.dtype
    assert ours.n_trials == theirs.n_trials


def test_training_and_evaluation_do_not_share_trials(small):
    config = small(tasks=["go"], eval_trials=50, batch_size=50)
    battery = Battery.from_config(config.battery_settings())
    test, (learnt,) = held_out(config, battery), make_batches(config, battery)(0).parts
    direction = learnt.observations[:, :, 1:33].amax(0).argmax(1).numpy() % 16
    assert not np.array_equal(np.sort(test.conditions["direction"]), np.sort(direction))
