"""Settings of a run: what is allowed, and how a wrong one is refused."""

import json
from fractions import Fraction

import numpy as np
import pytest

from modcog import ModcogError
from modcog.training import PRESETS, TrainConfig


def test_every_preset_is_a_config():
    for name in PRESETS:
        assert TrainConfig.of(name).steps > 0


def test_keyword_comes_before_file_and_file_before_preset(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("hidden = 32\nsteps = 7\n[battery]\ndt = 50\n")
    config = TrainConfig.of("quick", file, steps=9)
    assert (config.hidden, config.steps, config.arch) == (32, 9, PRESETS["quick"]["arch"])
    assert config.battery_settings().dt == 50
    assert config.battery_settings().rule_input


@pytest.mark.parametrize(
    "values",
    [
        {
            "battery": {
                "dim_ring": np.int64(16),
                "sigma": np.float32(0.5),
                "dt": Fraction(50),
                "coherences": np.array([0.1]),
            }
        },
        {"battery": {"timing": {"delay": ("uniform", (300, np.int16(900))), "fixation": ("constant", 100)}}},
        {"battery": {"timing": {"delay": ("truncated_exponential", (500, 100, np.inf))}}},
        {"model": {"gain": np.float32(0.5), "shape": (np.int64(4), 4)}, "hidden": np.int64(16)},
    ],
)
def test_a_config_is_the_same_from_the_record_of_its_run(values):
    config = TrainConfig.of(tasks=["dlygo"], **values)
    assert TrainConfig.of(**json.loads(json.dumps(config.model_dump(mode="json"), allow_nan=False))) == config


def test_a_duration_that_no_record_can_hold_is_refused_before_training():
    with pytest.raises(ModcogError, match=r"timing: delay is a function, .* cannot be stored"):
        TrainConfig.of(tasks=["dlygo"], battery={"timing": {"delay": lambda: 300}})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"steps": 0}, "steps"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"density": 2}, "density"),
        ({"schedule": "linear"}, "schedule"),
        ({"hiden": 3}, "nearest: 'hidden'"),
        ({"tasks": ["goo"]}, "nearest: 'go'"),
        ({"battery": {"dtt": 3}}, "nearest: 'dt'"),
        ({"battery": {"tasks": ["go"]}}, "beside"),
        ({"preset": "quik"}, "nearest: 'quick'"),
        ({"data": "nowhere"}, "no such folder"),
        ({"data": ("nowhere", 1)}, "data"),
        ({"clip_absent": "maybe"}, "clip_absent"),
        ({"model": {"hidden": 3}}, "model: got 'hidden'"),
        ({"precision": "16-mixed"}, "precision"),
        ({"devices": 0}, "devices"),
        ({"model": {"init": object()}}, r"model.init: got <object object .*>, which the record of a run cannot hold"),
        ({"model": {"gain": float("nan")}}, "model.gain: got nan, which"),
        ({"model": {"shape": {1: 2}}}, "model.shape: got {1: 2}, which"),
        ({"data": 3}, "data: got 3, must be the path"),
        ({"model": {"x" * 10**5: 1}, "steps": {"x" * 10**5: "x" * 10**5}}, "steps: got"),
        ({"accelerator": "tpuu"}, "accelerator"),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(values, says):
    with pytest.raises(ModcogError, match=says) as error:
        TrainConfig.of(**values)
    assert "\n" not in str(error.value)
