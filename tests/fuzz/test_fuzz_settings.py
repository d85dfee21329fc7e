"""Settings of every kind, from Python and from files: they work, or are refused in one line."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from attempts import apart, attempt, check_line, examples
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import GOOD_SETTINGS, HOSTILE, ODD, PERIODS, PLAIN_ODD, TASKS_SETTING, durations, keywords

import modcog
from modcog import Battery, BatteryConfig, Trials, models
from modcog.data import ExportConfig
from modcog.envs.env import ModCogEnv
from modcog.envs.vector import ModCogVectorEnv
from modcog.experiments import benchmark
from modcog.experiments.sweeps import Grid
from modcog.settings import Settings
from modcog.tasks.condition import flat
from modcog.training import TrainConfig
from modcog.validation import read_settings

LARGEST = 200e6
"""Bytes of observations that an example may paint."""


def check_trials(battery: Battery, trials: Trials) -> None:
    """Trials have the shapes, types and ranges that are declared."""
    n, n_steps = len(trials), len(trials.packed_labels)
    assert trials.packed_observations.shape == (n_steps, battery.n_channels)
    assert trials.packed_observations.dtype == np.float32
    assert np.isfinite(trials.packed_observations).all()
    assert trials.packed_labels.min() >= 0
    assert trials.packed_labels.max() < battery.n_actions
    assert (trials.lengths >= 1).all()
    assert trials.lengths.sum() == n_steps
    assert ((trials.decision_start >= 0) & (trials.decision_start < trials.lengths)).all()
    assert ((trials.task >= 0) & (trials.task < len(battery.tasks))).all()
    assert list(trials.conditions) == [condition.name for condition in trials.declared]
    for condition in flat(trials.declared):
        column = trials.conditions[condition.name]
        assert column.shape == (n,)
        missing = column == -1 if condition.whole else np.isnan(column)
        condition.check(column[~missing], trials.dim_ring)
    for trial in range(n):
        assert sum(trials.period_steps(trial).values()) == trials.lengths[trial]


def check_battery(battery: Battery) -> None:
    """A battery samples, and is the same again after a copy, a file and a pickle."""
    check_line(repr(battery)[:200])
    assume(4 * battery.n_channels * battery.tables.mean_length.max() * 512 < LARGEST)  # of one block
    trials = battery.sample(3, seed=1)
    check_trials(battery, trials)
    again = [Battery.from_config(battery.config), battery.replace()]
    if not any(map(callable, battery.settings.timing.values())):
        text = battery.config.model_dump_json()
        assert BatteryConfig.model_validate_json(text) == battery.config
        Path("again.yaml").write_text(yaml.safe_dump(json.loads(text)), encoding="utf-8")
        Path("again.json").write_text(text, encoding="utf-8")
        again += [Battery.from_file("again.yaml"), Battery.from_file("again.json"), pickle.loads(pickle.dumps(battery))]
    for other in again:
        assert other == battery
        twin = other.sample(3, seed=1)
        assert np.array_equal(twin.packed_observations, trials.packed_observations)
        assert np.array_equal(twin.packed_labels, trials.packed_labels)


READERS: list[Callable[[Any], Any]] = [
    Battery.from_file,
    lambda path: TrainConfig.of(file=path),
    lambda path: ExportConfig.of(path),
    lambda path: Grid.of(path).cells("out"),
]

BATTERY = {**GOOD_SETTINGS, "tasks": TASKS_SETTING}


@examples(120)
@given(keywords(BATTERY))
def test_a_battery_works_or_is_refused(values: dict[str, Any]) -> None:
    battery, _ = attempt(lambda: Battery(**values))
    if battery is not None:
        attempt(lambda: check_battery(battery))


@examples(80)
@given(keywords(BATTERY, PLAIN_ODD))
def test_settings_of_a_file_are_those_of_python(values: dict[str, Any]) -> None:
    try:
        text = json.dumps(values)
    except TypeError:  # an array
        return
    Path("values.json").write_text(text, encoding="utf-8")
    Path("values.yaml").write_text(yaml.safe_dump(json.loads(text), sort_keys=False), encoding="utf-8")
    plain = json.loads(text)
    found = [attempt(lambda: Battery(**plain))]
    found += [attempt(lambda p=path: Battery.from_file(p)) for path in ("values.json", "values.yaml")]
    assert found[0][0] == found[1][0] == found[2][0]
    assert found[0][1] == found[1][1] == found[2][1]


@examples(100)
@given(
    st.one_of(
        st.binary(max_size=60), st.text(max_size=60).map(str.encode), PLAIN_ODD.map(lambda v: json.dumps(v).encode())
    ),
    st.sampled_from([".toml", ".yaml", ".json", ".YML", ".txt", ""]),
)
def test_a_file_of_anything_is_read_or_refused_by_name(content: bytes, ending: str) -> None:
    path = Path(f"settings{ending}")
    path.write_bytes(content)
    found, message = attempt(lambda: read_settings(path))
    assert isinstance(found, dict) or path.name in message
    for read in READERS:
        attempt(lambda read=read: read(path))


BOMB = "[&a0 [1, 2]" + "".join(f", &a{k} [*a{k - 1}, *a{k - 1}]" for k in range(1, 40)) + "]"
"""A list whose text would take a terabyte."""


@pytest.mark.parametrize(
    "text",
    ["interval: " + BOMB, "dt: " + BOMB, "tasks: " + BOMB, "timing: {delay: " + BOMB + "}", "steps: " + BOMB,
     "splits: " + BOMB, "arms: " + BOMB, "settings: " + BOMB, "axes: {seed: " + BOMB + "}", "timing: &t {delay: *t}", "tasks: &t [*t]", "dt: 2024-01-01",  # noqa: E501
     "? [1, 2]\n: 3", "1: 2", "dt: !!python/name:os.system", "dt: 1" + "0" * 4_000, "[" * 700, "a: {" * 3_000],
)  # fmt: skip
def test_a_hostile_yaml_file_is_refused(text: str) -> None:
    Path("hostile.yaml").write_text(text, encoding="utf-8")
    assert not apart(_readers_of, "hostile.yaml")


def _readers_of(path: str) -> list[int]:
    found = [attempt(lambda read=read: read(path))[0] for read in READERS]
    return [number for number, one in enumerate(found) if one is not None]


ENTRIES: dict[str, Callable[[Any], Any]] = {
    **{f"Battery {name}": lambda v, name=name: Battery(**{name: v}) for name in BATTERY},
    "Battery timing of delay": lambda v: Battery(timing={"delay": v}),
    "Battery period": lambda v: Battery(timing=[v]),
    "sample n": lambda v: Battery("yang19").sample(v),
    "sample seed": lambda v: Battery("yang19").sample(1, seed=v),
    "stream": lambda v: Battery("yang19").stream(v),
    "train model": lambda v: TrainConfig.of(model={"init": v}).battery_settings(),
    "train battery": lambda v: TrainConfig.of(battery={"sigma": v}),
    "train steps": lambda v: TrainConfig.of(steps=v),
    "train tasks": lambda v: TrainConfig.of(tasks=v),
    "train preset": lambda v: TrainConfig.of(v),
    "export format": lambda v: ExportConfig.of(format=v),
    "export layout": lambda v: ExportConfig.of(layout=v),
    "export splits": lambda v: ExportConfig.of(splits=v),
    "export share": lambda v: ExportConfig.of(splits={"a": v}),
    "grid settings": lambda v: Grid.of({"settings": v}).cells("out"),
    "grid arms": lambda v: Grid.of({"arms": v}).cells("out"),
    "grid axis": lambda v: Grid.of({"axes": {"steps": v}}).cells("out"),
    "grid value": lambda v: Grid.of({"axes": {"steps": [v]}}).cells("out"),
    "environment": lambda v: ModCogEnv("go", rewards=v),
    "environment reward": lambda v: ModCogEnv("go", rewards={"abort": v}),
    "environment task": ModCogEnv,
    "environment trials": lambda v: ModCogEnv("go", trials_per_episode=v),
    "vector": lambda v: ModCogVectorEnv("go", v),
    "environment options": lambda v: ModCogEnv("go").reset(options=v),
    "environment trial": lambda v: ModCogEnv("go").new_trial(ground_truth=v),
    "environment action": lambda v: ModCogEnv("go").step(v),
    "vector options": lambda v: ModCogVectorEnv("go", 2).reset(options=v),
    "vector seeds": lambda v: ModCogVectorEnv("go", 2).reset(seed=v),
    "network": lambda v: models.build("lm-rnn", 3, 3, hidden=v),
    "network inputs": lambda v: models.build("lm-rnn", v, 3),
    "network name": lambda v: models.build(v, 3, 3),
    "mask shape": lambda v: models.masks.locality(16, density=0.5, shape=v),
    "mask": models.masks.custom,
    "evaluate": lambda v: modcog.evaluate(v, Battery(["go"])),
    "evaluate tasks": lambda v: modcog.evaluate(lambda x: x[..., 0] * 0, Battery(["go"]), 2, tasks=v),
    "collection": modcog.collection,
    "parse": modcog.parse,
    "load": modcog.data.load,
    "verify": modcog.data.verify,
    "load_model": modcog.load_model,
    "read_settings": read_settings,
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_cannot_be_shown_is_refused(entry: str) -> None:
    assert not apart(_taken_by, entry)


def _taken_by(entry: str) -> list[str]:
    return [name for name, make in HOSTILE.items() if attempt(partial(ENTRIES[entry], make()))[0] is not None]


SMALL = st.integers(1, 4)
TRAIN: dict[str, st.SearchStrategy[Any]] = {
    "tasks": TASKS_SETTING,
    "battery": st.one_of(st.just({}), keywords(GOOD_SETTINGS)),
    "arch": st.sampled_from(["lm-rnn", "gru", "dense", "nonsense", "a:b", ":", "os:getcwd"]),
    "hidden": SMALL,
    "density": st.one_of(st.none(), st.floats(0.1, 1)),
    "model": st.dictionaries(st.sampled_from(["init", "gain", "seed", "nonsense"]), ODD, max_size=1),
    "batch_size": SMALL,
    "layout": st.sampled_from(["trials", "stream"]),
    "learning_rate": st.floats(1e-4, 1),
    "data": st.one_of(st.none(), st.just("nowhere")),
    "out": st.just("out"),
    "train_on": st.one_of(st.none(), TASKS_SETTING),
    "start": st.one_of(st.none(), st.just("nowhere"), ODD),
    "trainable": st.one_of(st.sampled_from(["all", "rules"]), ODD),
    "penalty": st.one_of(st.sampled_from(["none", "ewc", "si"]), ODD),
    "replay": st.one_of(st.floats(0, 1), ODD),
    "strength": st.one_of(st.floats(0, 10), ODD),
    **dict.fromkeys(
        ["steps", "seq_len", "optimizer", "schedule", "warmup", "weight_decay", "clip", "clip_absent",
         "decision_weight", "eval_every", "eval_early", "eval_trials", "target_accuracy", "target", "seed",
         "accelerator", "devices", "num_nodes", "precision", "threads"],
        ODD,
    ),
}  # fmt: skip


@examples(100)
@given(keywords(TRAIN))
def test_a_training_config_is_whole_or_refused(values: dict[str, Any]) -> None:
    config, _ = attempt(lambda: TrainConfig.of(**values))
    if config is not None and not any(map(callable, config.battery_settings().timing.values())):
        text = config.model_dump_json()
        assert TrainConfig.of(**json.loads(text)) == config
        assert json.loads(text, parse_constant=pytest.fail)
        assert repr(config).isprintable()


EXPORT: dict[str, st.SearchStrategy[Any]] = {
    **BATTERY,
    "layout": st.sampled_from(["trials", "stream"]),
    "trials_per_task": st.integers(1, 30),
    "padded": st.booleans(),
    "sequences": st.integers(1, 30),
    "seq_len": st.integers(1, 30),
    "splits": st.sampled_from([{"a": 1.0}, {"a": 0.5, "b": 0.5}, {"a": 0.1, "A": 0.9}, {"con": 1.0}]),
    "format": st.sampled_from(["npy", "hdf5", "zarr", "parquet"]),
    "seed": st.integers(0, 2**140),
    "shard_mb": st.floats(0.01, 80),
}


@examples(100)
@given(keywords(EXPORT))
def test_an_export_config_is_whole_or_refused(values: dict[str, Any]) -> None:
    config, _ = attempt(lambda: ExportConfig.of(**values))
    if config is not None and not any(map(callable, config.timing.values())):
        assert ExportConfig.of(**json.loads(config.model_dump_json())) == config
        assert all(count > 0 for count in config.items().values())


GRID: dict[str, st.SearchStrategy[Any]] = {
    "settings": st.one_of(keywords(TRAIN), ODD),
    "arms": st.one_of(st.lists(keywords(TRAIN), max_size=2), ODD),
    "axes": st.one_of(
        st.dictionaries(
            st.sampled_from(["seed", "model.init", "battery.dt", "steps.x", ".", "nonsense"]), ODD, max_size=2
        ),
        ODD,
    ),
    "n_trials": SMALL,
    "score_seed": SMALL,
}


@examples(100)
@given(keywords(GRID))
def test_a_grid_has_cells_or_is_refused(values: dict[str, Any]) -> None:
    grid, _ = attempt(lambda: Grid.of(values))
    if grid is not None:
        cells, _ = attempt(lambda: grid.cells("out"))
        for cell in cells or ():
            assert cell.name.isprintable()
            assert "/" not in cell.name
            assert len(cell.name) < 256


@examples(60)
@given(
    st.sampled_from(["gru", "nonsense", "os:getcwd", ""]),
    keywords(
        {
            "seeds": SMALL,
            "jobs": SMALL,
            "n_trials": SMALL,
            "score_seed": SMALL,
            "steps": SMALL,
            "ceiling": st.booleans(),
        }
    ),
)
def test_a_benchmark_refuses_wrong_options_before_it_trains(arch: Any, values: dict[str, Any]) -> None:
    class Trained(Exception):
        pass

    def trained(*_: Any, **__: Any) -> None:
        raise Trained

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modcog.experiments.benchmark.bench.sweep", trained)
        try:
            attempt(lambda: benchmark.run(arch, **{"out": "report", "hidden": 2, "tasks": ["go"], **values}))
        except Trained:
            for name in ("seeds", "jobs", "n_trials", "score_seed"):
                assert isinstance(values.get(name, 1), int | np.integer), name
                assert values.get(name, 1) >= (0 if name == "score_seed" else -1), name


@examples(80)
@given(st.sampled_from(PERIODS), durations(), st.data())
def test_every_form_of_a_duration_draws_what_it_says(period: str, form: Any, data: st.DataObject) -> None:
    duration, allowed = form
    task = data.draw(st.sampled_from(["dlygo", "dlydm1", "dms", "dlygointr", "dmsseql"]))
    assume(period in Battery([task]).tables.periods[0])
    battery, message = attempt(lambda: Battery([task], timing={period: duration}))
    if duration is None:
        return  # the task's own duration, or refused
    assert battery is not None, message
    if battery is not None:
        drawn = battery.sample(20, seed=0).conditions[f"duration_{period}"]
        assert all(map(allowed, drawn.tolist())), (duration, drawn)
        again = battery.sample(20, seed=0).conditions[f"duration_{period}"]
        assert np.array_equal(drawn, again)


@examples(100)
@given(st.sampled_from(["n", "per_task", "seed", "task"]), ODD)
def test_a_sample_takes_or_refuses_any_argument(name: str, value: Any) -> None:
    battery = Battery(["go", "dms"])
    assume(not (name in ("n", "per_task") and isinstance(value, int | np.integer) and value > 10_000))
    trials, _ = attempt(lambda: battery.sample(**{**({} if name == "per_task" else {"n": 2}), name: value}))
    if trials is not None:
        check_trials(battery, trials)


@examples(60)
@given(st.sampled_from(["batch_size", "seq_len", "seed", "batch_first"]), ODD)
def test_a_stream_takes_or_refuses_any_argument(name: str, value: Any) -> None:
    assume(not (name in ("batch_size", "seq_len") and isinstance(value, int | np.integer) and value > 10_000))
    found, _ = attempt(lambda: next(Battery(["go", "dms"]).stream(**{"batch_size": 2, "seq_len": 20, name: value})))
    if found is not None:
        assert np.isfinite(found[0]).all()
        assert found[0].shape[:2] == found[1].shape


def test_settings_know_all_fields() -> None:
    """The strategies above cover every field; a new one is to be added."""
    assert set(GOOD_SETTINGS) == {*Settings.model_fields, "rule_input"}
    assert set(TRAIN) == set(TrainConfig.model_fields)
    assert set(EXPORT) == set(ExportConfig.model_fields)
    assert set(GRID) == set(Grid.model_fields)
