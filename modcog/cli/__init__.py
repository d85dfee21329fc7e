"""The command line: ``modcog COMMAND``, for each command of ``COMMANDS``.

A command is a function in a module of this folder, and a row of ``COMMANDS``. The decorators of click give it arguments
and options (``options.settings_options`` those of a pydantic model), its docstring is its ``--help``, and it returns
the exit code (None: 0). Three rules:

- Modules of this folder import what is heavy (torch, neurogym, matplotlib) inside their functions, so that no command
  waits for what it does not use. ``modcog --help`` reads the table alone.
- A wrong request is raised as a ``ModcogError`` (or ``OSError``); ``main`` turns it into one line on standard error and
  exit code 2. Results go to standard output, progress bars to standard error. A command that did its work and found
  something bad (``verify``) returns 1.
- A command that needs an extra calls ``extras.require`` before it starts.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import cleandoc
from pkgutil import resolve_name
from typing import Any, TextIO

import click

from modcog import user_code
from modcog.errors import ModcogError, one_line, printable, unknown
from modcog.extras import explained
from modcog.processes import open_standard_streams
from modcog.version import __version__

COMMANDS = {
    "list": ("modcog.cli.tasks:list_tasks", "List the tasks of the battery."),
    "show": ("modcog.cli.show:show", "Describe tasks, with example trials and a picture."),
    "play": (
        "modcog.cli.play:play",
        "Play a task yourself, and compare your accuracy with chance and the ideal observer's.",
    ),
    "sample": ("modcog.cli.data:sample", "Sample trials into an .npz file."),
    "export": ("modcog.cli.data:export", "Write a data set (resumable)."),
    "verify": ("modcog.cli.data:verify", "Check a data set against its manifest."),
    "train": ("modcog.cli.training:train", "Train a network on the battery (resumable)."),
    "sweep": ("modcog.cli.training:sweep", "Train and score the networks of a grid (resumable)."),
    "evaluate": ("modcog.cli.evaluation:evaluate", "Score a network on new trials."),
    "benchmark": (
        "modcog.cli.benchmark:benchmark",
        "Compare a network with reference networks in a report, or show the leaderboard.",
    ),
    "analyse": ("modcog.cli.analysis:analyse", "Ask a question about trained networks."),
    "study": ("modcog.cli.study:study", "Train networks for a study of few-shot or continual learning (resumable)."),
    "validate": ("modcog.cli.training:validate", "Test a claim of the Mod-Cog paper."),
    "doctor": ("modcog.cli.doctor:doctor", "Describe this installation, and test it in a few seconds."),
    "ceiling": (
        "modcog.cli.evaluation:ceiling",
        "Show chance level and ideal-observer ceiling of each task, and levels between.",
    ),
}
"""Name of each command, its place, and the first sentence of its docstring."""

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True}

ASCII = {"−": "-", "–": "-", "…": "...", "≤": "<=", "≥": ">=", "·": "*", "×": "x", "±": "+-"}
"""Substitutes for characters that the encoding of a stream lacks; ``?`` for all others."""

STDOUT = "standard output"
"""Name of the stream in errors."""


class _Stopped(Exception):
    """Ctrl-C, with what is kept; click would start a new line for a KeyboardInterrupt, which only a terminal needs."""


class _Program(click.Group):
    """The group of ``COMMANDS``: it knows their summaries, and imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return click.Command(cmd_name, short_help=COMMANDS[cmd_name][1])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[0] in COMMANDS:
            return args[0], load(args[0]), args[1:]
        if ctx.resilient_parsing:  # a shell asks for completions
            return None, None, args
        raise unknown("command", args[0], COMMANDS)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            if sys.stderr.isatty():  # after the ^C
                click.echo(err=True)
            raise _Stopped("; ".join(filter(None, ("stopped", str(error))))) from None


def load(name: str) -> click.Command:
    """Import a command of ``COMMANDS``."""
    command: click.Command = resolve_name(COMMANDS[name][0])
    command.help = _keep_lines(command.help or "")
    return command


def _keep_lines(text: str) -> str:
    """Mark the blocks below a title, such as examples, so that click keeps their line breaks."""
    return re.sub(r"\n\n(?=\w+:\n  )", "\n\n\b\n", cleandoc(text))


@click.group("modcog", cls=_Program, context_settings=CONTEXT)
@click.option("modules", "--import", multiple=True, metavar="MODULE", help="Module that adds base tasks. Repeatable.")
@click.version_option(__version__, message="modcog %(version)s")
def program(modules: tuple[str, ...]) -> None:
    """Mod-Cog: 132 cognitive tasks for recurrent networks.

    Examples:
      modcog list --family match
      modcog show dlygointr --plot dlygointr.png
      modcog sample modcog132 --per-task 10 --out trials.npz

    Help on a command: modcog COMMAND --help. Completion in bash: eval "$(_MODCOG_COMPLETE=bash_source modcog)"; zsh and
    fish likewise.
    """
    for module in modules:
        user_code.import_module(module)
    if modules:  # for worker processes, which find the modules of the working directory too
        os.environ["MODCOG_IMPORT"] = ",".join(modules)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.getcwd(), os.environ.get("PYTHONPATH"))))


program.help = _keep_lines(program.help or "")


def main(args: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        args: words of the command line; None: those of this process.

    Returns:
        Exit code: 0 done, 1 done and something bad was found, 2 the request was wrong, 130 stopped by Ctrl-C.
    """
    previous, threading.excepthook = threading.excepthook, _report_thread
    with _standard_streams():
        try:
            words = list(sys.argv[1:] if args is None else args) or ["--help"]
            code = program.main(words, "modcog", standalone_mode=False) or 0
            sys.stdout.flush()
            return code
        except _Stopped as error:
            return _fail(error, 130)
        except ModcogError as error:
            return _fail(error)
        except ImportError as error:  # an extra is not installed
            return _fail(explained(error, f"modcog {words[0]}"))
        except OSError as error:
            if isinstance(error, BrokenPipeError) and error.filename == STDOUT:
                return 1  # the reader of our output has left, as `head` does
            return _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        except MemoryError as error:
            return _fail(f"not enough memory: {error}")
        except click.NoSuchOption as error:
            near = f" (nearest: {error.possibilities[0]!r})" if error.possibilities else ""
            return _fail(f"unknown option {error.option_name!r}{near}; see --help")
        except click.ClickException as error:
            return _fail(error.format_message(), error.exit_code)
        except Exception as error:
            if os.environ.get("MODCOG_DEBUG"):
                raise
            return _fail(f"{user_code.error_text(error)} (unexpected; MODCOG_DEBUG=1 shows where)", 1)
        finally:
            threading.excepthook = previous


def _fail(message: object, code: int = 2) -> int:
    print(f"modcog: {one_line(message)}", file=sys.stderr)
    return code


def _report_thread(failure: threading.ExceptHookArgs) -> None:
    """Report the failure of a thread, such as a writer's on a full disk or one of a user's, in one line."""
    if failure.exc_value is not None:
        _fail(f"in a thread: {user_code.error_text(failure.exc_value)}")


@contextmanager
def _standard_streams() -> Iterator[None]:
    """Replace the standard streams, for the block, by streams that accept any text.

    A pipe on Windows knows 256 characters only, and the minus sign is not among them.
    """
    codecs.register_error("modcog", _in_ascii)
    open_standard_streams()
    found: Any = (sys.stdout, sys.stderr)
    for stream in found:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="modcog")
    streams: Any = (_Output(found[0]), _Messages(found[1]))
    sys.stdout, sys.stderr = streams
    try:
        yield
    finally:
        sys.stdout, sys.stderr = found
        for stream in found:
            _silence(stream)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


def _silence(stream: TextIO) -> None:
    """Discard what waits in the buffer of a stream that cannot be written to, and what comes later."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Output:
    """Standard output: it names itself in its errors, and shows control characters instead of obeying them.

    Names of files and messages of errors may come from strangers, and an escape sequence can rewrite a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # click would write to it in UTF-8, whatever the encoding of the stream
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text: str | bytes) -> Any:
        if not text and isinstance(text, bytes):  # so click finds out if a stream takes bytes
            raise TypeError("not a stream of bytes")
        if isinstance(text, bytes):  # completions, for a shell
            return self._try(self._stream.buffer.write, text)
        return self._try(self._stream.write, printable(text, keep="\n\t"))

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except OSError as error:
            error.filename = STDOUT
            raise


class _Messages(_Output):
    """Standard error: a message or a progress bar that cannot be written is dropped, since the work goes on."""

    def write(self, text: str | bytes) -> Any:
        return self._try(self._stream.write, text)

    def _try(self, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except OSError:
            _silence(self._stream)
