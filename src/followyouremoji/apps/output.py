"""What the user sees: lines, notes, tables, and bars while something is done.

Texts that come from files cannot steer the terminal: their control characters are escaped, and nothing in them is
markup.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain, repeat
from threading import Event, Thread
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from followyouremoji.apps.interrupts import end_if_pressed
from followyouremoji.errors import escaped

FIRST, EVERY = (
    10.0,
    30.0,
)  # seconds to the first line of progress where there is no terminal, and between later ones


class Advance(Protocol):
    def __call__(self, done: float, total: float | None, what: str | None = None) -> None:
        """Show what is done and what is to be done in all, None where that is not known; from now on as `what`."""


def say(message: str) -> None:
    """A line for the user, on the standard output."""
    print(_lines(message), flush=True)


def note(message: str, style: str = "yellow") -> None:
    """A remark beside the result, on the standard error output."""
    Console(stderr=True, soft_wrap=True).print(Text(_lines(message), style))


def say_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for the user, on the standard output: the names of its columns, and a text for each in every row."""
    table = Table(*(Column(name, overflow="fold") for name in names), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_lines(cell)) for cell in row))
    Console().print(table)


def _lines(message: str) -> str:
    return "\n".join(map(escaped, message.split("\n")))


@contextmanager
def progress_bar(what: str) -> Iterator[Advance]:
    """A bar with the time left on the standard error output; where that is no terminal, a line now and then. After
    Ctrl-C, advancing it raises KeyboardInterrupt, in whatever thread."""
    console = Console(stderr=True)
    if not console.is_terminal:
        with progress_lines(what) as advance:
            yield advance
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(escaped(what), total=None)

        def advance(done: float, total: float | None, what: str | None = None) -> None:
            end_if_pressed()  # networks have a thread of their own, and may be far from their next frame
            bar.update(task, completed=done, total=total, description=what and escaped(what))

        yield advance


@contextmanager
def progress_lines(work: str) -> Iterator[Advance]:
    """A plain line on the standard error output after `FIRST` seconds and then every `EVERY`, so that a log shows that
    the work goes on, also while nothing advances."""
    began, ended = time.monotonic(), Event()
    before: float | None = None  # done by an earlier run that this one goes on with
    reached: tuple[str, float, float | None] = work, 0, None

    def advance(done: float, total: float | None, what: str | None = None) -> None:
        nonlocal before, reached
        end_if_pressed()
        before = done if before is None else before
        reached = what or reached[0], done, total

    def tell() -> None:
        for pause in chain([FIRST], repeat(EVERY)):
            if ended.wait(pause):
                return
            note(progress_line(*reached, before or 0, time.monotonic() - began), style="")

    telling = Thread(target=tell, name="progress", daemon=True)
    telling.start()
    try:
        yield advance
    finally:
        ended.set()
        telling.join()


def progress_line(what: str, done: float, total: float | None, before: float, seconds: float) -> str:
    """How far the work `what` is after so many seconds, in words; `before` of what is done was done when it began."""
    line = f"{what}: {f'{done / total:.0%}, ' if total else ''}{timedelta(seconds=round(seconds))} so far"
    if total and done > before:
        line += f", about {timedelta(seconds=round(seconds * (total - done) / (done - before)))} left"
    return line


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """A line on the standard error output that is written again and again, and vanishes in the end; nothing where that
    is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda line: None
        return
    with console.status("") as status:
        yield lambda line: status.update(Text(escaped(line)))
