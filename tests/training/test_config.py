"""Settings of a run: what is allowed, and how a wrong one is refused."""

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
        ({"accelerator": "tpuu"}, "accelerator"),
    ],
)
def test_wrong_settings_are_refused_in_a_sentence(values, says):
    with pytest.raises(ModcogError, match=says) as error:
        TrainConfig.of(**values)
    assert "\n" not in str(error.value)
