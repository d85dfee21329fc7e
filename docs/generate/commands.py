"""The page of the command line, made from the program itself."""

from __future__ import annotations

import click

from modcog.cli import COMMANDS, CONTEXT, load, program

_INTRODUCTION = """\
# Command line

Made from the program: `modcog --help` and `modcog COMMAND --help` say the same. A wrong request is answered in one
line, with exit code 2. Results go to standard output, progress bars to standard error.

| command | purpose |
| --- | --- |
"""


def page() -> str:
    """Return the page in Markdown: all commands in a table, then each with its help, arguments and options."""
    table = "".join(f"| [`modcog {name}`](#{name}) | {summary} |\n" for name, (_, summary) in COMMANDS.items())
    parts = [_section(f"modcog {name}", name, load(name)) for name in COMMANDS]
    return "\n".join([_INTRODUCTION + table, *parts, _section("Options before the command", "program", program)])


def _section(title: str, anchor: str, command: click.Command) -> str:
    """Return the section of one command: its help, arguments and options."""
    context = click.Context(command, info_name=title, **CONTEXT)
    rows = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    table = "".join(f"| `{usage}` | {_escaped(meaning)} |\n" for usage, meaning in rows)
    head = "| argument or option | meaning |\n| --- | --- |\n"
    return f"## {title} {{#{anchor}}}\n\n{_described(command.help or '')}\n\n{head}{table}"


def _described(text: str) -> str:
    """Return the help of a command; blocks whose line breaks click keeps, marked with a backspace, become code."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(_code(part) if part.startswith("\b\n") else part for part in paragraphs)


def _code(block: str) -> str:
    """Return a marked block as code: examples below their title, or other lines."""
    first, *lines = block.removeprefix("\b\n").splitlines()
    if first == "Examples:":
        commands = "\n".join(line.removeprefix("  ") for line in lines)
        return f"{first}\n\n```sh\n{commands}\n```"
    return "```text\n" + "\n".join([first, *lines]) + "\n```"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
