"""How the help of all commands reads: paragraphs without the line breaks of the source, and examples at the end."""

from __future__ import annotations

import re
from inspect import getdoc

import typer

REMARK = "  # "


def examples(*lines: str, more: str = "") -> str:
    """The end of a command's help: command lines, each with or without a remark, and perhaps a sentence `more`.

    >>> examples("fye doctor  # if something does not work")
    '[bold]Examples[/]\\n\\nfye doctor  [dim]# if something does not work[/]'
    """
    shown = ["[bold]Examples[/]"]
    for line in lines:
        command, mark, remark = line.partition(REMARK)
        shown.append(f"{command}  [dim]# {remark}[/]" if mark else command)
    return "\n\n".join([*shown, more] if more else shown)


def reflow(app: typer.Typer) -> None:
    """Have the help of all commands below `app` fill the terminal's lines: docstrings come with the source's breaks."""
    for command in app.registered_commands:
        command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", command.help or getdoc(command.callback) or "")
    for group in app.registered_groups:
        if group.typer_instance is not None:
            reflow(group.typer_instance)
