"""All readers that are fuzzed. A group is a module of this folder with a tuple `READERS`."""

from __future__ import annotations

from importlib import import_module

from .reader import Reader

GROUPS = ("motion", "data", "training", "models", "jobs", "suites", "media")


def readers(group: str) -> tuple[Reader, ...]:
    """The readers of a group, which is imported now: some need torch."""
    found: tuple[Reader, ...] = import_module(f"{__package__}.{group}").READERS
    return found


def reader(name: str) -> Reader:
    """A reader by its name, "GROUP/FORMAT". Raises KeyError."""
    group = name.partition("/")[0]
    if group not in GROUPS:
        raise KeyError(name)
    return {one.name: one for one in readers(group)}[name]


def names_like(wanted: str) -> list[str]:
    """The names that a user means by a reader's or a group's name, or by "all". Raises KeyError."""
    if wanted == "all":
        return [one.name for group in GROUPS for one in readers(group)]
    if wanted in GROUPS:
        return [one.name for one in readers(wanted)]
    return [reader(wanted).name]
