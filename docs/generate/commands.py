"""The page of the command line, made from the program itself."""

from __future__ import annotations

from typing import Any

from modcog.cli import COMMANDS, load, program

_INTRODUCTION = """\
# Command line

Made from the program: `modcog --help` and `modcog COMMAND --help` say the same. A wrong request is answered in one
line, with exit code 2. Results go to standard output, progress bars to standard error.

| command | what it gives or does |
| --- | --- |
"""


def page() -> str:
    """The page in Markdown: all commands in a table, then each with its help, arguments and options."""
    table = "".join(f"| [`modcog {name}`](#{name}) | {summary} |\n" for name, (_, summary) in COMMANDS.items())
    parts = [_section(f"modcog {name}", name, load(name)) for name in COMMANDS]
    return "\n".join([_INTRODUCTION + table, *parts, _section("Options before the command", "program", program())])


def _section(title: str, anchor: str, command: Any) -> str:
    """One command: what it does, how it is called, what it takes."""
    context = command.make_context(title, [], resilient_parsing=True)
    rows = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    table = "".join(f"| `{usage}` | {_escaped(meaning)} |\n" for usage, meaning in rows)
    return f"## {title} {{#{anchor}}}\n\n{_described(command.help)}\n\n| takes | meaning |\n| --- | --- |\n{table}"


def _described(text: str) -> str:
    """The help of a command; a block whose line breaks are to be kept, marked with a backspace, becomes code."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(_code(part) if part.startswith("\b\n") else part for part in paragraphs)


def _code(block: str) -> str:
    """A marked block: commands below a title, or lines that stand for themselves."""
    first, *lines = block.removeprefix("\b\n").splitlines()
    if first.endswith(":"):
        commands = "\n".join(line.removeprefix("  ") for line in lines)
        return f"{first}\n\n```sh\n{commands}\n```"
    return "```text\n" + "\n".join([first, *lines]) + "\n```"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
