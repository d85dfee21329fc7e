"""Training on an exported data set: every trial once in an epoch, in another order in the next."""

from collections import Counter
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from modcog import ModcogError
from modcog.data import export, load
from modcog.training import TrainConfig, train
from modcog.training.batches import ROUND, epoch_order, make_batches
from modcog.training.checkpoint import latest
from modcog.trials.arrays import IGNORE


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "trials"
    export(folder, tasks=["dm1", "dms", "goseqr"], trials_per_task=100, splits={"train": 0.9, "test": 0.1}, dt=50)
    return folder


@pytest.fixture(scope="module")
def sequences(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "stream"
    export(folder, tasks=["dm1", "goseqr"], layout="stream", seq_len=30, sequences=40, splits={"train": 1.0})
    return folder


def sequences_of(batch) -> list[bytes]:
    """Every unpadded sequence of a batch, without the rule input."""
    return [
        part.observations[part.labels[:, lane] != IGNORE, lane, :33].numpy().tobytes()
        for part in batch.parts
        for lane in range(part.labels.shape[1])
    ]


def test_the_data_set_decides_tasks_and_settings(data, sequences):
    config = TrainConfig.of(data=data)
    assert config.tasks == ("dm1", "dms", "goseqr")
    assert config.battery_settings().dt == 50
    assert config.battery_settings().rule_input
    config = TrainConfig.of(data=sequences)
    assert (config.layout, config.seq_len) == ("stream", 30)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tasks": "yang19"}, "tasks: got .*the data set has"),
        ({"battery": {"dt": 100}}, "dt: got 100.*has 50"),
        ({"layout": "stream"}, "layout: got 'stream', the data set has 'trials'"),
    ],
)
def test_other_settings_than_the_data_set_has_are_refused(data, values, says):
    with pytest.raises(ModcogError, match=says) as error:
        TrainConfig.of(data=data, **values)
    assert "\n" not in str(error.value)


def test_a_split_smaller_than_a_batch_is_refused(data):
    config = TrainConfig.of(data=data, batch_size=1000)
    with pytest.raises(ModcogError, match="batch_size: got 1000"):
        make_batches(config, load(data).battery)


def test_every_trial_comes_once_in_an_epoch_and_in_another_order_in_the_next(data):
    split = load(data, rule_input=False)["train"]
    stored = Counter(split[i].packed_observations.tobytes() for i in range(len(split)))
    config = TrainConfig.of(data=data, batch_size=30)
    batches = make_batches(config, load(data).battery)
    epochs = [[sequences_of(batches(9 * epoch + i)) for i in range(9)] for epoch in range(2)]
    for epoch in epochs:
        assert Counter(chain(*epoch)) == stored
    assert epochs[0] != epochs[1]


def test_processes_share_an_epoch(sequences):
    config = TrainConfig.of(data=sequences, batch_size=5)
    split = load(sequences, rule_input=False)["train"]
    stored = Counter(split[i].packed_observations.tobytes() for i in range(len(split)))
    of_rank = [make_batches(config, load(sequences).battery, rank, 2) for rank in range(2)]
    assert Counter(chain(*(sequences_of(batches(i)) for i in range(4) for batches in of_rank))) == stored


def test_sequences_keep_their_labels_and_trials_are_counted(sequences):
    config = TrainConfig.of(data=sequences, batch_size=40, decision_weight=9)
    (part,) = (batch := make_batches(config, load(sequences).battery)(0)).parts
    cue_is_off = part.observations[..., 0] == 0
    assert np.array_equal(part.weights == 9, cue_is_off)
    assert (part.labels[~cue_is_off] == 0).all()
    assert (part.labels[cue_is_off] > 0).all()  # dm1 and goseqr respond in every decision step
    assert batch.n_trials == sum(len(split) for split in load(sequences)["train"].shards())


@pytest.mark.parametrize("n", [40, 1000, 1024 * 5 + 300])
def test_an_epoch_is_all_whole_batches_that_fit(n):
    size, orders = 32, [epoch_order(n, 32, np.random.default_rng(seed)) for seed in range(2)]
    for order in orders:
        assert len(order) == n // size
        begins = sorted(first + place * size for first, _, place in order.tolist())
        assert begins[0] >= 0
        assert begins[-1] + size <= n
        assert all(b - a == size for a, b in pairwise(begins))
        assert all(first + (place + 1) * size <= stop <= first + ROUND for first, stop, place in order.tolist())
    assert n < 2 * ROUND or not np.array_equal(*orders)


def test_a_resumed_run_on_a_data_set_ends_with_the_numbers_of_an_undisturbed_one(small, data, tmp_path):
    same = {"schedule": "constant", "tasks": ["dm1", "dms", "goseqr"], "battery": {"dt": 50}, "data": data}
    whole, part = small(out=tmp_path / "whole", batch_size=64, **same), small(batch_size=64, **same)
    train(whole)
    train(part.model_copy(update={"steps": 6}))
    train(part, resume=True)
    ended = [load_file(latest(config.out / "checkpoints") / "model.safetensors") for config in (whole, part)]
    assert all((ended[0][name] == ended[1][name]).all() for name in ended[0])
