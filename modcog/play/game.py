"""The game: trials become frames on a screen, a person's keys become actions, and these are scored as a network's.

Before the decision time runs, slowed down. A decision of 200 ms is too short for a person, so it waits: for one answer,
which stands for all its steps, or, in sequence tasks, for one at each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from modcog.battery import Battery
from modcog.checks import check_count
from modcog.describe import describe
from modcog.errors import ModcogError, shown
from modcog.evaluation.ceilings import Level
from modcog.evaluation.scores import Scores
from modcog.evaluation.scoring import score
from modcog.seeds import Purpose, Seed
from modcog.trials.arrays import Trials, concatenate
from modcog.trials.source import per_task

HOW = (
    "Left and right arrow (or a and d) move your answer to the direction of the next lower or higher number, down "
    "(or s) back to holding fixation; space or enter gives it; q leaves."
)
"""Keys of both screens."""


class Leave(Exception):
    """The player has left the game."""


class Frame(NamedTuple):
    """A step of a trial: the number of the trial from 1, the period, and the observation, (C,)."""

    trial: int
    period: str
    observation: NDArray[np.float32]


class Screen(Protocol):
    """A place to play: it shows frames and texts and reads keys. Each method raises ``Leave`` if the player leaves."""

    def show(self, frame: Frame, seconds: float) -> None:
        """Show a frame for a time."""

    def ask(self, frame: Frame, action: int, text: str) -> str | int:
        """Show the answer so far; return the next key, left, right, hold, enter or "", or the action clicked on."""

    def tell(self, text: str, frame: Frame | None = None, last: tuple[int, int] | None = None) -> None:
        """Show a text, beside a frame and the last action and its label, until the player goes on."""

    def close(self) -> None:
        """Leave the screen as it was."""


def play(
    open_screen: Callable[[Battery], Screen],
    battery: Battery,
    n_trials: int = 10,
    seed: int | None = None,
    speed: float = 0.5,
    hint: bool = True,
) -> Scores | None:
    """Let a person play trials of a battery's first task, those that ``modcog.evaluate`` takes under this seed.

    Args:
        open_screen: ``modcog.play.window.Window``, ``modcog.play.terminal.Terminal``, or another that opens a screen.
        battery: the task and its settings.
        n_trials: number of trials.
        seed: of the trials; None: from the operating system.
        speed: of the time before the decision; 1 is that of the trials.
        hint: tell the rule first.

    Returns:
        Scores: of the trials that were finished, as from ``modcog.evaluate``; None if there are none.

    Raises:
        ModcogError: for a number of trials, a seed or a speed that is out of range.
    """
    n = check_count("n_trials", n_trials)
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed < math.inf:
        raise ModcogError(f"speed: got {shown(speed)}, must be a number, larger than 0")
    trials = concatenate(list(per_task(battery.tables, Seed.of(seed, Purpose.EVALUATION), [0], n)))
    moving, done = bool(battery.tables.sequence_sign[0]), 0
    actions = np.zeros(trials.mask.shape, np.int64)
    with closing(open_screen(battery)) as screen, suppress(Leave):
        screen.tell(_introduction(battery, hint, moving, n, speed))
        for i in range(n):
            trial, action, start = trials[i], 0, int(trials.decision_start[i])
            periods = [period for period, steps in trial.period_steps(0).items() for _ in range(steps)]
            for step, (period, observation) in enumerate(zip(periods, trial.packed_observations, strict=True)):
                frame = Frame(i + 1, period, observation)
                if step < start:
                    screen.show(frame, trial.dt / 1000 / speed)
                    continue
                if moving or step == start:
                    place = f"Step {step - start + 1} of {len(periods) - start}, your" if moving else "Your"
                    action = _answer(screen, frame, action, battery.settings.dim_ring, place)
                actions[i, step] = action
            done += 1
            screen.tell(_outcome(trial, actions[i]), frame, (action, int(trial.packed_labels[-1])))
    return replace(score(actions[:done], trials[:done]), battery=battery) if done else None


def _answer(screen: Screen, frame: Frame, action: int, n: int, place: str) -> int:
    """Return a player's answer at a step of the decision, one of n directions or 0; ``action`` is chosen at first."""
    while True:
        match screen.ask(frame, action, f"{place} answer: {_words(action)}"):
            case "right":
                action = action % n + 1
            case "left":
                action = (max(action, 1) - 2) % n + 1
            case "hold":
                action = 0
            case "enter":
                return action
            case int(clicked):
                return clicked


def _introduction(battery: Battery, hint: bool, moving: bool, n: int, speed: float) -> str:
    task, ring, at = battery.tasks[0], battery.settings.dim_ring, "at each of its steps" if moving else "once"
    told: Any = describe(task, **{name: value for name, value in battery.config if name != "tasks"})
    rule = [f"{task}: {told.summary}", told.interval, told.sequence] if hint else [task]
    how = (
        f"{n} trial{'' if n == 1 else 's'}. Time runs at {speed:g} times its speed until the fixation cue goes off; "
        f"then it waits for you to answer {at}: a direction from 0 to {ring - 1}, or to hold fixation."
    )
    return "\n".join([*filter(None, rule), how])


def _words(action: int) -> str:
    return f"direction {action - 1}" if action else "hold fixation"


def _outcome(trial: Trials, actions: NDArray[np.int64]) -> str:
    """Return the message after a trial: right or wrong, the correct answer, and the conditions that were drawn."""
    share = score(actions[None], trial).decision_accuracy
    verdict = {0.0: "Wrong", 1.0: "Right"}.get(share, f"{share:.0%} of the steps right")

    def path(line: NDArray[np.int64]) -> str:
        given = line[int(trial.decision_start[0]) : int(trial.lengths[0])].tolist()
        alike = len(set(given)) == 1
        return _words(given[0]) if alike else "directions " + " ".join(str(a - 1) if a else "-" for a in given)

    yours = "" if share == 1 else f"; yours: {path(actions)}"
    drawn = (
        f"{name} {value:g}" for name, value in trial.rows[0].items() if not name.startswith(("steps_", "duration_"))
    )
    return f"{verdict}. The answer: {path(trial.packed_labels)}{yours}.\n{', '.join(drawn)}"


def summary(scores: Scores, level: Level | None = None) -> str:
    """Return the decision accuracy of some trials, with its 95 % interval, beside chance and ceiling.

    The interval is Wilson's (1927), as if each trial were either right or wrong; a bootstrap of ten right trials would
    have no width.
    """
    n, share, z = len(scores.task), scores.decision_accuracy, 1.96
    middle, half = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = (max(0.0, min(1.0, (middle + side * half) / (1 + z**2 / n))) for side in (-1, 1))
    right = int((scores.values["decision"] == 1).sum())
    lines = [
        f"{right} of {n} trial{'' if n == 1 else 's'} right",
        f"decision accuracy {share:.1%} [{low:.1%}, {high:.1%}]",
    ]
    if level is not None:
        lines.append(f"chance {level.decision_chance:.1%}, ideal observer {level.decision_ceiling:.1%}")
    return "\n".join(lines)
