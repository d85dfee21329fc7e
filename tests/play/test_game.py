"""A person plays: scripts of keys drive both screens, on a task of each kind."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import modcog
from modcog.evaluation.scores import Scores
from modcog.play import game
from modcog.play.terminal import Terminal
from modcog.seeds import Purpose, Seed
from modcog.trials.source import per_task

N = 3

KINDS = ("go", "rtgo", "dlyanti", "dm1", "dlygointl", "goseqr", "dms", "dnmcintrseql")
"""A task of each kind: without and with a delay, noisy, interval, sequence, match, and all at once."""


def labels(task: str, **settings: Any) -> list[list[int]]:
    """The right answers that a player of seed 3 is asked for, trial by trial."""
    battery = modcog.Battery([task], **settings)
    (trials,) = per_task(battery.tables, Seed.of(3, Purpose.EVALUATION), [0], N)
    asked = [trials[i].packed_labels[trials.decision_start[i] :].tolist() for i in range(N)]
    return asked if "seq" in task else [steps[:1] for steps in asked]


def perfect(task: str, n: int = 16, **settings: Any) -> list[str]:
    """The keys of a player who gives all the right answers, by the shorter way round the ring."""
    keys = ["enter"]
    for steps in labels(task, dim_ring=n, **settings):
        at = 0
        for label in steps:
            if label == 0:
                keys += ["hold"]
            elif at == 0:
                keys += ["right"] * label if label <= n / 2 else ["left"] * (n + 1 - label)
            else:
                keys += ["right"] * ((label - at) % n) if (label - at) % n <= n / 2 else ["left"] * ((at - label) % n)
            keys, at = [*keys, "enter"], label
        keys += ["enter"]
    return keys


def silent(task: str, **settings: Any) -> list[str]:
    """The keys of a player who never chooses a direction."""
    return ["enter"] * (1 + sum(len(steps) + 1 for steps in labels(task, **settings)))


Played = Callable[..., Scores | None]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Played:
    """Play in the terminal, through a pipe."""
    codes = {"right": "\x1b[C", "left": "a", "hold": "\x1b[B", "enter": "\n", "quit": "q"}

    def played(keys: list[str], task: str, speed: float = 1e6, **settings: Any) -> Scores | None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(codes[key] for key in keys)))
        battery = modcog.Battery([task], **settings)
        return game.play(Terminal, battery, N, seed=3, speed=speed)

    return played


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    """Play in a window that nobody sees."""
    pygame = pytest.importorskip("pygame")
    from modcog.play.window import Window

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    warnings.filterwarnings("ignore", "no fast renderer")  # without a screen
    codes = {"right": pygame.K_RIGHT, "left": pygame.K_LEFT, "hold": pygame.K_s, "enter": pygame.K_SPACE}

    def played(keys: list[Any], task: str, speed: float = 1e6, **settings: Any) -> Scores | None:
        def event(key: str | tuple[int, int]) -> Any:
            if isinstance(key, tuple):
                return pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=key)
            if key == "quit":
                return pygame.event.Event(pygame.QUIT)
            return pygame.event.Event(pygame.KEYDOWN, key=codes[key])

        script = map(event, [*keys, "quit"])
        monkeypatch.setattr(pygame.event, "wait", lambda: next(script))
        battery = modcog.Battery([task], **settings)
        return game.play(Window, battery, N, seed=3, speed=speed)

    yield played
    pygame.quit()


@pytest.fixture(params=["terminal", "window"])
def played(request: pytest.FixtureRequest) -> Played:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("task", KINDS)
def test_a_perfect_player_gets_everything_right(played: Played, task: str) -> None:
    scores = played(perfect(task), task)
    assert len(scores.task) == N
    assert scores.decision_accuracy == scores.trial_accuracy == 1


@pytest.mark.parametrize("task", KINDS)
def test_a_player_who_never_answers_gets_what_holding_fixation_earns(played: Played, task: str) -> None:
    held = [steps == [0] * len(steps) for steps in labels(task)]
    scores = played(silent(task), task)
    assert scores.values["decision"].tolist() == held
    assert sum(held) in (range(1, N) if task.startswith("d") and "m" in task and task != "dm1" else [0])


def test_the_trials_are_those_of_evaluate(terminal: Played) -> None:
    scores = terminal(silent("dm1"), "dm1")
    evaluated = modcog.evaluate(lambda x: np.zeros(x.shape[:2]), modcog.Battery(["dm1"]), N, seed=3)
    for name, column in evaluated.conditions.items():
        np.testing.assert_array_equal(scores.conditions[name], column)


@pytest.mark.parametrize(
    "settings", [{"rules": "published"}, {"dim_ring": 8, "sigma": 0}, {"rule_input": True}], ids=str
)
def test_settings_hold_for_people_too(played: Played, settings: dict[str, Any]) -> None:
    n = settings.get("dim_ring", 16)
    keys = perfect("dm2seqr", n, **{name: value for name, value in settings.items() if name != "dim_ring"})
    assert played(keys, "dm2seqr", **settings).decision_accuracy == 1


def test_who_leaves_is_scored_on_the_trials_that_are_finished(played: Played) -> None:
    keys = perfect("go")
    second = [at for at, key in enumerate(keys) if key == "enter"][4]  # of the first text, and two for each trial
    assert len(played([*keys[:second], "quit"], "go").task) == 2
    assert played(["quit"], "go") is None
    assert played(["enter", "right", "quit"], "go") is None


def test_a_click_on_a_ring_answers(window: Played) -> None:
    (direction, *_), *_ = labels("dlygo")
    angle = 2 * np.pi * (direction - 1) / 16
    on_ring = round(115 + 70 * np.cos(angle)), round(150 - 70 * np.sin(angle))
    values = window(["enter", (320, 310), on_ring, "enter", (320, 150), "enter"], "dlygo").values["decision"]
    assert values.tolist() == [1, 0]


def test_time_is_slowed_down(terminal: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("modcog.play.terminal.time.monotonic", lambda: 0.0)
    monkeypatch.setattr("modcog.play.terminal.time.sleep", slept.append)
    terminal(silent("go")[:2], "go", speed=0.25)
    assert slept == [0.4] * 10  # 100 ms each, of fixation and stimulus; the decision waits


def test_a_player_is_told_what_was_right(terminal: Played, capsys: pytest.CaptureFixture[str]) -> None:
    terminal(perfect("go"), "go")
    right = capsys.readouterr().out
    terminal(silent("go"), "go")
    wrong = capsys.readouterr().out
    for (label,) in labels("go"):
        assert f"Right. The answer: direction {label - 1}." in right
        assert f"Wrong. The answer: direction {label - 1}; yours: hold fixation." in wrong
    assert max(map(len, right.splitlines())) <= 80


def test_the_rule_is_told_unless_a_player_wants_no_hint(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    battery = modcog.Battery(["dlyantiintr"])
    for hint in (True, False):
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        game.play(Terminal, battery, hint=hint)
        said = " ".join(capsys.readouterr().out.split())
        assert ("opposite" in said, "moved to the right" in said) == (hint, hint)


def test_a_row_of_characters_is_the_ring(terminal: Played, capsys: pytest.CaptureFixture[str]) -> None:
    terminal(["enter"], "go")
    stimulus = capsys.readouterr().out.split("stimulus\n")[1].splitlines()
    rings = stimulus[1].split("|")[1::2]
    shown = [ring.index("##") // 2 for ring in rings if "##" in ring]
    assert shown == [labels("go")[0][0] - 1]
    assert stimulus[0].split() == ["0", "4", "8", "12"] * 2


def test_a_ring_that_is_too_wide_for_the_terminal(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(modcog.ModcogError, match="dim_ring: got 64, must be at most 34 in a terminal of 80 columns"):
        Terminal(modcog.Battery(["go"], dim_ring=64))


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf"), "fast", True])
def test_a_speed_that_is_none(speed: Any) -> None:
    battery = modcog.Battery(["go"])
    with pytest.raises(modcog.ModcogError, match="speed: got"):
        game.play(Terminal, battery, speed=speed)


def test_the_interval_of_few_right_trials_has_a_width(terminal: Played) -> None:
    scores = terminal(perfect("dms"), "dms")
    assert game.summary(scores, scores.levels()["dms"]).splitlines() == [
        "3 of 3 trials right",
        "decision accuracy 100.0% [43.8%, 100.0%]",
        "chance 50.0%, ideal observer 100.0%",
    ]
