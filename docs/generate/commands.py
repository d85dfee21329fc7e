"""Page of the command line, generated from the program."""

from __future__ import annotations

import re

import click

from modcog.cli import COMMANDS, CONTEXT, load, program

_INTRODUCTION = """\
# Command line

`modcog --help` and `modcog COMMAND --help` show the same. Invalid input is reported in one line, with exit code 2.
Results go to standard output, progress bars to standard error.

| command | purpose |
| --- | --- |
"""


def page() -> str:
    """Return the page in Markdown: a table of commands, then the help, arguments and options of each."""
    table = "".join(f"| [`modcog {name}`](#{name}) | {summary} |\n" for name, (_, summary) in COMMANDS.items())
    parts = [_section(f"modcog {name}", name, load(name)) for name in COMMANDS]
    return "\n".join([_INTRODUCTION + table, *parts, _section("Options before the command", "program", program)])


def _section(title: str, anchor: str, command: click.Command) -> str:
    """Return the section of one command: its help, usage, arguments and options."""
    context = click.Context(command, info_name=title, **CONTEXT)
    rows = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    table = "".join(f"| `{usage}` | {_marked(_escaped(meaning))} |\n" for usage, meaning in rows)
    text = _described(command.help or "")
    return f"## {title} {{#{anchor}}}\n\n{text}\n\n| argument | meaning |\n| --- | --- |\n{table}"


def _described(text: str) -> str:
    """Return the help of a command, with blocks whose line breaks are kept (marked with a backspace) as code."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(_code(part) if part.startswith("\b\n") else _marked(part) for part in paragraphs)


def _marked(text: str) -> str:
    """Return a text in which options are code."""
    return re.sub(r"(?<![\w`-])--[a-z]+(?:-[a-z]+)*", r"`\g<0>`", text)


def _code(block: str) -> str:
    """Return a marked block as code: commands below a title, or plain lines."""
    first, *lines = block.removeprefix("\b\n").splitlines()
    if first == "Examples:":
        commands = "\n".join(line.removeprefix("  ") for line in lines)
        return f"{first}\n\n```sh\n{commands}\n```"
    return "```text\n" + "\n".join([first, *lines]) + "\n```"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
