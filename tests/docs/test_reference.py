"""What the site's build makes of code: the reference of commands, and docstrings as Markdown."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from typer.main import get_command

from followyouremoji.apps.cli import app

DOCS = Path(__file__).parents[2] / "docs"


def test_every_command_and_each_of_its_options_is_in_the_reference() -> None:
    made = runpy.run_path(str(DOCS / "commands.py"))
    page = made["commands"]()
    commands = dict(made["walk"](get_command(app), "fye"))
    assert len(commands) >= 25
    for path, command in commands.items():
        section = page.split(f"## `{path}`\n")[1].split("\n## ")[0]
        for one in command.params:
            if not getattr(one, "hidden", False):
                assert all(name in section for name in one.opts if name.startswith("--")), (path, one.opts)


def test_docstrings_become_markdown() -> None:
    pytest.importorskip("griffe", reason="the site needs mkdocstrings")
    markdown = runpy.run_path(str(DOCS / "docstrings.py"))["markdown"]
    docstring = (
        "What it is.\n\n>>> one(1)\n>>> two(2)\n\n"
        "Parameters\n----------\npoints : ``(T, 2)`` pixels,\n    x to the right\nsize : a side\n\nMore."
    )
    assert markdown(docstring) == (
        "What it is.\n\n```python\none(1)\ntwo(2)\n```\n\n"
        "**Parameters**\n\n- `points`: ``(T, 2)`` pixels,\n    x to the right\n- `size`: a side\n\nMore."
    )
