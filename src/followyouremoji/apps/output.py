"""What the user sees: lines, notes, and bars while something is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from followyouremoji.apps.interrupts import end_if_pressed


class Advance(Protocol):
    def __call__(self, done: float, total: float | None, what: str | None = None) -> None:
        """Show what is done and what is to be done in all, None where that is not known; from now on as `what`."""


def say(message: str) -> None:
    """A line for the user, on the standard output."""
    print(message, flush=True)


def note(message: str, style: str = "yellow") -> None:
    """A remark beside the result, on the standard error output."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, markup=False, style=style)


@contextmanager
def progress_bar(what: str) -> Iterator[Advance]:
    """A bar with the time left on the standard error output; nothing where that is not a terminal. After Ctrl-C,
    advancing it raises KeyboardInterrupt, in whatever thread."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: float, total: float | None, what: str | None = None) -> None:
            end_if_pressed()  # networks have a thread of their own, and may be far from their next frame
            bar.update(task, completed=done, total=total, description=what)

        yield advance


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """A line on the standard error output that is written again and again, and vanishes in the end; nothing where that
    is not a terminal."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda line: None
        return
    with console.status("") as status:
        yield lambda line: status.update(escape(line))
