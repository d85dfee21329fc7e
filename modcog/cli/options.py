"""Options that several commands share, those made from the fields of a pydantic model, and the width of output."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial, wraps
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from modcog.checks import check_jobs
from modcog.errors import ModcogError, shown, unknown
from modcog.extras import require
from modcog.tables import Rows, fitted_table, plain_table, widest
from modcog.tasks import names
from modcog.user_code import check_trust

if TYPE_CHECKING:
    from pydantic import BaseModel

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

PATH = click.Path(path_type=Path)


def one_of(kind: str, allowed: Callable[[], Collection[str]], read: Callable[[str], str] = str) -> dict[str, Any]:
    """Return the settings of an option that takes one of a set of names: completion, and the nearest match if wrong.

    ``read`` turns what is given into a name.
    """

    def check(ctx: click.Context, option: click.Parameter, given: str | None) -> str | None:
        if given is not None and (name := read(given)) not in allowed():
            raise unknown(kind, name, allowed())
        return given if given is None else name

    def complete(ctx: click.Context, option: click.Parameter, start: str) -> list[str]:
        return [name for name in dict.fromkeys(allowed()) if name.startswith(start)]

    return {"metavar": "NAME", "callback": check, "shell_complete": complete}


def read_by(read: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a callback for click: ``read`` what was given; None if nothing was."""
    return lambda ctx, option, given: None if given in (None, ()) else read(given)


def jobs(default: int = 1) -> Decorator:
    """Add the option ``--jobs``; the command gets a number of at least 1."""
    count = read_by(lambda given: check_jobs(given, "--jobs"))
    text = "Number of parallel jobs; -1: one per core."
    return click.option("--jobs", "-j", default=default, metavar="N", callback=count, help=text)


def progress(default: bool | None = None) -> Decorator:
    """Add the option ``--progress``; None: a bar if standard error is a terminal."""
    text = "Progress bar on standard error." + ("  [default: in a terminal]" if default is None else "")
    return click.option("--progress/--no-progress", default=default, help=text)


def running(progress_default: bool | None = None) -> Decorator:
    """Add the options ``--jobs``, ``--dask`` and ``--progress``; the command gets them under these names."""

    def address(url: str) -> str:
        require("dask", "--dask")
        return url

    dask = click.option("--dask", metavar="URL", callback=read_by(address), help="Dask scheduler to run the jobs on.")
    return lambda command: jobs()(dask(progress(progress_default)(command)))


together = click.option("--together", is_flag=True, help="Networks trained side by side, a hundred at once: for a GPU.")
seed = click.option("--seed", default=0, metavar="N", help="Random seed of the trials.")
as_json = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
trust = click.option("--trust", is_flag=True, help="Import of MODULE:NAME that a file names; it can run any code.")


def settings_options(model: type[BaseModel], exclude: Collection[str] = (), **renamed: str) -> Decorator:
    """Add an option for each field of ``model``, and ``--config FILE``.

    The decorated function gets ``settings``: a dict of what the file and the options say, the options before the file,
    still to be validated by the model. A field becomes ``--field-name``: a truth value a pair of flags, a list
    ``a,b,c``, a mapping ``NAME=VALUE`` (repeated), anything else a number or a text.

    Args:
        model: its fields' names, descriptions and defaults make the options.
        exclude: fields that the command takes itself, or that are not for the command line; a file may hold them.
        **renamed: options of fields that are not called ``--field-name``; a name without dashes makes a list of
            arguments, which are optional if the name stands in brackets.
    """
    fields = {name: field for name, field in model.model_json_schema()["properties"].items() if name not in exclude}

    from modcog.validation import read_settings

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def command(config: dict[str, Any] | None, **values: Any) -> Any:
            given = {name: values.pop(name) for name in fields}
            for name in (config or {}).keys() - model.model_fields.keys():  # it must not pass for an argument
                raise unknown("setting", name, model.model_fields)
            chosen = {name: value for name, value in given.items() if value is not None}
            if "arch" not in chosen:
                check_trust("--config", (config or {}).get("arch"), values.get("trust", False))
            return function(settings={**(config or {}), **chosen}, **values)

        text = "TOML, YAML or JSON file of settings, which options override."
        file = click.option("--config", type=PATH, metavar="FILE", callback=read_by(read_settings), help=text)
        done: Callable[..., Any] = file(command)
        for name, field in reversed(fields.items()):
            done = _option(name, renamed.get(name, f"--{name.replace('_', '-')}"), field)(done)
        return done

    return decorate


def _option(name: str, flag: str, field: dict[str, Any]) -> Decorator:
    """Make the option of a field from its JSON schema."""
    text, default = field.get("description", ""), field.get("default")
    first = field.get("anyOf", [field])[0]
    how: dict[str, Any] = {"metavar": first.get("format", "text").upper()}
    match first:
        case {"type": "integer" | "number" as kind}:
            how = {"metavar": "N" if kind == "integer" else "NUMBER", "callback": read_by(value)}
        case {"type": "boolean"}:
            default = flag if default else f"--no-{flag[2:]}"
            flag, how = f"{flag}/--no-{flag[2:]}", {"default": None}
        case {"enum": choice}:
            how = {**one_of(name, lambda: choice), "metavar": "|".join(choice)}
        case {"type": "object"}:
            text += " Repeatable; VALUE is a number, a text, A,B,… or a distribution: uniform:A,B."
            default = " ".join(f"{key}={item}" for key, item in (default or {}).items()) or None
            how = {"multiple": True, "metavar": "NAME=VALUE", "callback": read_by(lambda pairs: mapping(flag, pairs))}
        case {"type": "array"} if not flag.startswith("-"):
            text, required = "Tasks or collections, such as dms, dlygointr or modcog82.", not flag.startswith("[")
            text += "" if required else f"  [default: {default}]"
            how = {"metavar": flag, "required": required, "callback": read_by(tasks_of)}
            return click.argument(name, nargs=-1, help=text, **how)
        case {"type": "array"}:
            of_items = tasks_of if name in ("tasks", "train_on") else lambda items: [value(item) for item in items]
            default = ",".join(map(str, default)) if isinstance(default, list) else default
            how = {"metavar": "A,B,…", "callback": read_by(lambda text: of_items(listed(text)))}
    if default is not None:
        text += f"  [default: {default}]"
    return click.option(name, flag, help=text, **how)


def mapping(flag: str, pairs: Iterable[str]) -> dict[str, Any]:
    """Read ``NAME=VALUE``, given any number of times; for values see ``duration``.

    Raises:
        ModcogError: for another text, or a name that is given twice.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (key and equals and text):
            raise ModcogError(f"{flag}: got {shown(pair)}, must be NAME=VALUE")
        if key in found:
            raise ModcogError(f"{flag}: {shown(key)} is given twice")
        found[key] = duration(text)
    return found


def as_words(settings: Mapping[str, Any]) -> list[str]:
    """Return the words of a command line for settings, as ``settings_options`` reads them.

    Not every value has words that are read as the same: a table within a mapping has none, and ``"1"`` is read as 1.
    """
    words = list[str]()
    for name, given in settings.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(given, bool):
            words.append(flag if given else f"--no-{flag[2:]}")
        elif isinstance(given, Mapping):
            words += [word for key, item in given.items() for word in (flag, f"{key}={_word(item)}")]
        else:
            words += [flag, _word(given)]
    return words


def _word(given: Any) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    return ",".join(map(_word, given)) if isinstance(given, list | tuple) else str(given)


def listed(text: str) -> list[str]:
    """Return the items of a list ``A,B,…``."""
    return re.findall(r"[^,\s]+", text)


def tasks_of(words: Iterable[str]) -> list[str]:
    """Return the tasks that words of a command line stand for, each once.

    A word is a task, its id, or a collection. ``go`` is both a task and a family, and means the task.

    Raises:
        UnknownNameError: for a word that is none of these.
    """
    found: dict[str, None] = {}
    for word in words:
        found.update(dict.fromkeys([word] if word in names.known_tasks() else names.resolve(word)))
    return list(found)


def duration(text: str) -> Any:
    """Read a value of a mapping: ``500``, ``300,600,900`` (a list), or a distribution such as ``uniform:300,900``."""
    from modcog.settings import KINDS

    kind, _, rest = text.partition(":")
    if kind in KINDS and rest:
        return (kind, [value(item) for item in rest.split(",")])
    return [value(item) for item in text.split(",")] if "," in text else value(text)


def value(text: str) -> Any:
    """Read a whole number, a number, true or false, or else the text itself."""
    text = text.strip()
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return {"true": True, "false": False}.get(text, text)


def width(most: int = 100) -> int:
    """Return the width of the terminal in columns, at most ``most``; without a terminal, ``most``."""
    return min(shutil.get_terminal_size((most, 0)).columns or most, most)  # Python 3.10 gives 0 where it is not known


UNBOUNDED = 100_000
"""Width of tables in a pipe, where programs read them."""


def fitted(rows: Rows, align: str = "l", keys: int = 1) -> str:
    """Return rows, the first of which is the head, as a table that fits the terminal; see ``fitted_table``."""
    room = width(UNBOUNDED)
    close = widest(plain_table(rows, align)) > room >= widest(plain_table(rows, align, gap=1))
    return fitted_table(rows, room, partial(plain_table, align=align, gap=1 if close else 2), keys)


def wrapped(text: str, indent: int = 0) -> str:
    """Return lines of text that fit the terminal; those that go on are indented by ``indent`` more than they begin.

    No break is made at a no-break space, which is returned as a space, or in a path.
    """
    found = []
    for line in text.splitlines():
        own = len(line) - len(line.lstrip()) + indent
        own = own if own < width(UNBOUNDED) // 2 else 0
        found.append(
            fill(line, width(UNBOUNDED), subsequent_indent=own * " ", break_long_words=False, break_on_hyphens=False)
        )
    return "\n".join(found).replace("\N{NO-BREAK SPACE}", " ")
