"""Docstrings as Markdown, for the reference: their sections become lists, their examples blocks of code. A page of the
site then shows what stands in the source, types being in the signatures already."""

from __future__ import annotations

import re
from typing import Any

import griffe

SECTION = re.compile(r"^([A-Z]\w+)\n-{3,}\n((?:.+\n?)*)", re.MULTILINE)
ENTRY = re.compile(r"^(\w[\w, *]*?) : ?", re.MULTILINE)
EXAMPLE = re.compile(r"^(?:(?:>>>|\.\.\.) ?.*\n?)+", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Changes every docstring before the site shows it."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(docstring: str) -> str:
    """A docstring with its sections as lists and its examples fenced."""
    return EXAMPLE.sub(fenced, SECTION.sub(listed, docstring))


def listed(section: re.Match[str]) -> str:
    entries = ENTRY.sub(r"- `\1`: ", section[2])
    return f"**{section[1]}**\n\n{entries}"


def fenced(example: re.Match[str]) -> str:
    code = re.sub(r"^(?:>>>|\.\.\.) ?", "", example[0], flags=re.MULTILINE).rstrip()
    return f"```python\n{code}\n```\n"
