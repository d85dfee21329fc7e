"""Times that are said before training."""

from __future__ import annotations

import pytest

from modcog.training.config import PRESETS, TrainConfig
from modcog.training.duration import about, training_seconds


def seconds(**settings: object) -> float:
    return training_seconds(TrainConfig.of(**{"steps": 10_000, "eval_every": 10_000, **settings}))


@pytest.mark.parametrize(
    ("preset", "low", "high"),
    [("quick", 5, 20), ("autapse20", 60, 240), ("lm132", 600, 3600), ("authors-d3", 200, 800)],
)
def test_presets_take_about_as_long_as_was_measured(preset: str, low: float, high: float) -> None:
    assert low < training_seconds(TrainConfig.of(preset)) < high


def test_every_preset_has_a_time() -> None:
    assert all(training_seconds(TrainConfig.of(preset)) > 1 for preset in PRESETS)


@pytest.mark.parametrize(
    ("more", "low", "high"),
    [
        ({"steps": 20_000, "eval_every": 20_000}, 1.8, 2.05),
        ({"batch_size": 256}, 1.7, 2),
        ({"battery": {"dt": 50}}, 1.8, 2.05),
        ({"arch": "dense"}, 1.8, 3),
        ({"arch": "gru"}, 5, 9),
        ({"arch": "somebody:network"}, 1.8, 3),
        ({"hidden": 512}, 1.8, 5),
        ({"density": 0.02}, 0.7, 1),
        ({"tasks": ["go"]}, 0.3, 0.7),
    ],
    ids=str,
)
def test_what_makes_training_longer(more: dict[str, object], low: float, high: float) -> None:
    assert low < seconds(**more) / seconds() < high


@pytest.mark.parametrize(
    ("time", "text"),
    [(0.1, "1 s"), (40.4, "40 s"), (89, "89 s"), (95, "2 min"), (3600, "60 min"), (5400, "1.5 h"), (36_000, "10 h")],
)
def test_in_words(time: float, text: str) -> None:
    assert about(time) == f"about {text} on one core"
