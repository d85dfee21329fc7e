"""``modcog play``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from modcog.battery import Battery, BatteryConfig
from modcog.checks import check_count
from modcog.cli.options import settings_options
from modcog.errors import ModcogError

if TYPE_CHECKING:
    from modcog.play.game import Screen


@click.command
@click.option("--trials", default=10, metavar="N", help="Number of trials.")
@click.option("--seed", type=int, metavar="N", help="Random seed of the trials.  [default: new trials each time]")
@click.option(
    "--speed", default=0.5, metavar="NUMBER", help="Speed of the time before the decision; 1: as networks see it."
)
@click.option("--noise/--no-noise", default=True, help="Noise on the rings; --no-noise is --sigma 0.")
@click.option("--hint/--no-hint", default=True, help="The rule in words, before the first trial.")
@click.option("--terminal", is_flag=True, help="Rings of characters in the terminal instead of a window.")
@settings_options(BatteryConfig, exclude=("rule_input",), tasks="TASK")
def play(
    settings: dict[str, Any], trials: int, seed: int | None, speed: float, noise: bool, hint: bool, terminal: bool
) -> None:
    """Play a task yourself, and compare your accuracy with chance and the ideal observer's.

    You see what a network sees: the fixation cue and the rings of both modalities, step by step. Time is slowed down
    by --speed. When the cue goes off, it waits for your answer, in sequence tasks at each step. The arrow keys left and
    right move your answer round the ring, down is to hold fixation, space or enter gives it, q leaves; in a window a
    click on a ring answers, too. After each trial you are told the right answer, and at the end your decision accuracy
    with its 95 % interval. The window needs pygame; without a display the game is played in the terminal. Its input
    may be a pipe: letters a, d, s stand for the arrows left, right, down.

    Examples:
      modcog play dm1
      modcog play dlygointr --trials 20 --speed 0.25
      modcog play dmsseqr --terminal --no-noise --seed 1
    """
    from modcog.play import play as play_task
    from modcog.play import summary
    from modcog.play.terminal import Terminal
    from modcog.play.window import has_display

    if not noise and settings.setdefault("sigma", 0) != 0:
        raise ModcogError(f"--no-noise: sigma is {settings['sigma']}; give one of the two")
    if len(settings["tasks"]) != 1:
        raise ModcogError(f"play: got {len(settings['tasks'])} tasks, must be one")
    battery = Battery(**settings)
    open_screen: Callable[[Battery], Screen] = Terminal if terminal or not has_display() else _window_or_terminal
    scores = play_task(open_screen, battery, check_count("--trials", trials), seed, speed, hint)
    if scores is None:
        click.echo("no trial was finished")
        return
    level = None
    try:
        level = scores.levels()[battery.tasks[0]]
    except ModcogError as error:  # a task without an ideal observer
        click.echo(f"no ceiling: {error}", err=True)
    click.echo(summary(scores, level))


def _window_or_terminal(battery: Battery) -> Screen:
    """Open a window, or the terminal where the display does not work."""
    from modcog.play.terminal import Terminal
    from modcog.play.window import Window

    try:
        return Window(battery)
    except OSError as error:
        click.echo(f"{error}; playing in the terminal", err=True)
        return Terminal(battery)
