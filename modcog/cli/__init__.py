r"""The command line: ``modcog COMMAND``, for each command of ``COMMANDS``.

A command is a function in a module of this folder, and a row of ``COMMANDS``. Its parameters become arguments and
options (typer), its docstring its ``--help``; in an r-docstring, a line ``\b`` before a block keeps the block's line
breaks. To add a command, write the function and its row. Three rules:

- Modules of this folder import what is heavy (torch, neurogym, matplotlib) inside their functions, so that no command
  waits for what it does not use. ``--help`` of the program reads the table alone.
- What is wrong is raised as a ``ModcogError`` (or ``OSError``); ``main`` turns it into one line on standard error and
  exit code 2. Results go to standard output, progress bars to standard error. A command that did its work and found
  something bad (``verify``) raises ``typer.Exit(1)``.
- A command that takes the fields of a pydantic model as options gets them from ``options.settings_options``.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from modcog import user_code
from modcog.errors import ModcogError, nearest, unknown

COMMANDS = {
    "list": ("modcog.cli.tasks:list_tasks", "The tasks, by collection, family and extension."),
    "show": ("modcog.cli.show:show", "What a task is, in words and as a picture."),
    "sample": ("modcog.cli.sample:sample", "Trials into an .npz file."),
    "export": ("modcog.cli.data:export", "A data set: splits, shards, hashes; resumable."),
    "verify": ("modcog.cli.data:verify", "Whether a data set is whole and undamaged."),
    "train": ("modcog.cli.train:train", "A network on the battery."),
    "sweep": ("modcog.cli.sweep:sweep", "Many networks from one file; resumable."),
    "evaluate": ("modcog.cli.evaluation:evaluate", "Scores of a trained network, beside the ceiling."),
    "benchmark": ("modcog.cli.benchmark:benchmark", "A report on a network of one's own, beside references."),
    "validate": ("modcog.cli.validate:validate", "The paper's claims, put to the test."),
    "ceiling": ("modcog.cli.evaluation:ceiling", "What an ideal observer scores on each task."),
}
"""Name of each command, where it is, and what it gives or does in a few words."""


class _Group(TyperGroup):
    """Finds the commands in ``COMMANDS`` and imports one when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def load(name: str) -> Any:
    """A command of ``COMMANDS``, ready to be called by the program (a click command)."""
    place, summary = COMMANDS[name]
    module, function = place.split(":")
    return _command(name, getattr(import_module(module), function), summary)


def _command(name: str, function: Callable[..., Any], summary: str) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, help=_help(function), short_help=summary, context_settings=_HELP)(function)
    return typer.main.get_command(app)


def _help(function: Callable[..., Any]) -> str:
    """A function's docstring, with the mark that keeps line breaks as click knows it."""
    return (inspect.getdoc(function) or "").replace("\\b\n", "\b\n")


_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def program() -> Any:
    """The whole program, as a click group."""
    app = typer.Typer(cls=_Group, rich_markup_mode=None, context_settings=_HELP)
    app.callback(help=_help(_program))(_program)
    return typer.main.get_command(app)


def _show_version(asked: bool) -> None:
    if asked:
        from modcog.version import __version__

        typer.echo(f"modcog {__version__}")
        raise typer.Exit


def _import_modules(modules: list[str]) -> None:
    """Import modules that add base tasks, from the current folder too; worker processes will import them as well."""
    if not modules:
        return
    for module in modules:
        user_code.import_module(module)
    os.environ["MODCOG_IMPORT"] = ",".join(modules)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.getcwd(), os.environ.get("PYTHONPATH"))))


def _program(
    modules: Annotated[
        list[str] | None, typer.Option("--import", metavar="MODULE", help="Import it first: it adds base tasks.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Version, and exit.")
    ] = False,
) -> None:
    r"""Mod-Cog: 132 cognitive tasks for recurrent networks.

    \b
    Examples:
      modcog list --family match
      modcog show dlygointr --plot dlygointr.png
      modcog sample modcog132 --per-task 10 --out trials.npz

    Each command explains itself: modcog COMMAND --help
    """
    _import_modules(modules or [])


def main(args: Sequence[str] | None = None) -> int:
    """Run the program; ``args`` are those of the command line unless given.

    Returns:
        Exit code: 0 done, 1 done and something bad was found, 2 the request was wrong, 130 stopped by Ctrl-C.
    """
    try:
        words = list(sys.argv[1:] if args is None else args) or ["--help"]
        code = program().main(words, prog_name="modcog", standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
        return int(code) if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", 130)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModcogError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except ImportError as error:  # an extra that is not installed
        return _fail(str(error))
    except MemoryError as error:
        return _fail(f"not enough memory: {error}")
    except Exception as error:
        if hasattr(error, "format_message"):  # click's, from whichever click typer brings
            return _fail(_usage(error), getattr(error, "exit_code", 2))
        if os.environ.get("MODCOG_DEBUG"):
            raise
        return _fail(f"{type(error).__name__}: {error} (unexpected; MODCOG_DEBUG=1 shows where)", 1)


def _fail(message: str, code: int = 2) -> int:
    print(f"modcog: {' '.join(message.split())}", file=sys.stderr)
    return code


def _usage(error: Any) -> str:
    """What click found wrong with the command line, in our words where it names an option."""
    if (option := getattr(error, "option_name", None)) and type(error).__name__ == "NoSuchOption":
        command = error.ctx.command if error.ctx else program()
        names = [name for param in command.params for name in param.opts if name.startswith("-")]
        near = nearest(option, names)
        return f"unknown option {option!r}{f' (nearest: {near!r})' if near else ''}; see --help"
    return str(error.format_message())
