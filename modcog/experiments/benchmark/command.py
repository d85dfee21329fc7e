"""The command that makes a report again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from modcog.battery import BatteryConfig
from modcog.tasks.names import COLLECTIONS, collection
from modcog.tasks.table import BASES
from modcog.user_code import is_import_path

Options = Mapping[str, Any]
"""Values that are not the default, by their names in Python."""


def of_run(arch: str, options: Options) -> str:
    """The command that trains and scores a network, or the call in Python if an option does not go on a command line.

    Args:
        arch: of the network.
        options: of ``modcog.experiments.benchmark.run``.
    """
    try:
        return _command(arch, options)
    except TypeError:
        return _call("run", [repr(arch)], options)


def of_folder(folder: str, options: Options) -> str:
    """The command that scores a run of the trainer."""
    return _command(folder, options)


def of_object(name: str, battery: BatteryConfig, options: Options, making: Options) -> str:
    """The command that scores a network which is trained already, or the call in Python.

    Args:
        name: ``MODULE:NAME``, or what it is called in Python.
        battery: it was scored on.
        options: of ``modcog.experiments.benchmark.score``.
        making: options of the function that makes the network.
    """
    others = battery.model_dump(exclude_defaults=True, exclude={"tasks"})
    given = ", ".join([repr(called(battery.tasks)), *(f"{key}={value!r}" for key, value in others.items())])
    call = _call("score", [name, f"modcog.Battery({given})"], {**options, **making})
    if not is_import_path(name):
        return call
    changes = {**others, "rule_input": battery.rule_input}
    if battery.rule_input:  # which the command has on unless told otherwise
        del changes["rule_input"]
    model = {key: value for key, value in making.items() if key != "hidden"}
    hidden = {key: value for key, value in making.items() if key == "hidden"}
    settings = {"train": False, "tasks": called(battery.tasks), "battery": changes, **hidden, "model": model}
    try:
        return _command(name, {**settings, **options})
    except TypeError:
        return call


def called(tasks: tuple[str, ...]) -> str | list[str]:
    """The collection that these tasks are, or else their names; ``go`` is the task, not the family."""
    whole = (name for name in COLLECTIONS if name not in BASES and collection(name) == tasks)
    return next(whole, list(tasks))


def changed(**options: tuple[Any, Any]) -> dict[str, Any]:
    """Of options, each with its value and its default, those that are not the default."""
    return {name: value for name, (value, default) in options.items() if value != default}


def _call(function: str, arguments: list[str], options: Options) -> str:
    given = [*arguments, *(f"{name}={_plain(value)!r}" for name, value in options.items())]
    return f"modcog.experiments.benchmark.{function}({', '.join(given)})"


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | list | tuple | dict | None) else str(value)


def _command(network: str, options: Options) -> str:
    words = ["modcog", "benchmark", network]
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
            continue
        table = isinstance(value, Mapping)
        texts = [f"{key}={_text(item)}" for key, item in value.items()] if table else [_text(value)]
        words += [word for text in texts for word in (f"--{option}", text)]
    return shlex.join(words)


def _text(value: Any) -> str:
    """A value as the command line reads it.

    Raises:
        TypeError: for a table in a table, which it cannot read.
    """
    if isinstance(value, Mapping):
        raise TypeError
    if isinstance(value, list | tuple):
        named = len(value) == 2 and value[0] in ("uniform", "choice")
        return f"{value[0]}:{_text(value[1])}" if named else ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
