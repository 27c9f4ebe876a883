"""The reference of all commands, as Markdown, from what the command line itself is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import typer
from typer.main import get_command

from followyouremoji.apps.cli import app


def commands() -> str:
    """A section for each command."""
    return "\n".join(
        part for path, command in walk(get_command(app), "fye") for part in section(path, command)
    )


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each command below a group, with the words that call it; groups that do something by themselves are commands."""
    children = getattr(command, "commands", None)
    if children is None or command.invoke_without_command:
        yield path, command
    for name, child in sorted((children or {}).items()):
        yield from walk(child, f"{path} {name}")


def section(path: str, command: Any) -> Iterator[str]:
    """Heading, usage, description, arguments and options by panel, examples."""
    context = typer.Context(command, info_name=path)
    yield f"## `{path}`\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield plain(command.help or "") + "\n"
    panels: dict[str, list[str]] = {}
    for one in command.get_params(context):
        record = one.get_help_record(context)
        if record is None or one.name == "help":
            continue
        argument = one.param_type_name == "argument"
        title = "Arguments" if argument else getattr(one, "rich_help_panel", None) or "Options"
        names, meaning = (" ".join(text.replace("|", "\\|").split()) for text in record)
        names = re.sub(r" <\w+>$", "", names) if argument else names.replace(" range>", ">")
        panels.setdefault(title, []).append(f"| `{names}` | {plain(meaning)} |")
    for title, rows in panels.items():
        yield f"**{title}**\n\n| | |\n|---|---|\n" + "\n".join(rows) + "\n"
    if examples := examples_of(command.epilog or ""):
        yield f"```text\n{examples}\n```\n"


def plain(text: str) -> str:
    """A help text without rich's markup, one paragraph a line, with links to the pages that it names."""
    text = re.sub(r"\[/?[a-z ]*\]", "", cleandoc(text))
    text = re.sub(r"\bdocs/([\w/]+\.md)", r"[\1](../\1)", text)
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def examples_of(epilog: str) -> str:
    """The command lines of an epilog, and its remarks."""
    lines = [" ".join(line.split()) for line in cleandoc(epilog).split("\n\n")]
    return "\n".join(
        re.sub(r" ?\[dim\](.*?)\[/\]", r"  \1", line) for line in lines if not line.startswith("[bold]")
    )
