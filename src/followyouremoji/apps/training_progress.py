"""What a user sees of a training: a line that moves in a terminal, a line a log row elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from followyouremoji.apps.output import say

if TYPE_CHECKING:
    from followyouremoji.training.loop import Report, Status


def is_main_process() -> bool:
    """Whether this process is the one of several that talks to the user; launchers tell each its rank."""
    return os.environ.get("RANK", "0") == "0"


def described(status: Status) -> str:
    """The figures of a status and the time that is left."""
    words = [f"{name} {value:.4g}" for name, value in status.figures.items() if name != "seconds_a_step"]
    if status.seconds_a_step:
        left = timedelta(seconds=round(status.seconds_a_step * (status.steps - status.step)))
        words += [f"{status.seconds_a_step:.2f} s a step", f"{left} left"]
    if status.skipped:
        words.append(f"{status.skipped} skipped")
    return ", ".join(words)


@contextmanager
def training_progress() -> Iterator[Report]:
    """Reports of a training, shown on the standard error output, or, where that is no terminal, on the standard
    output."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield LogLines()
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda status: bar.update(
            task, completed=status.step, total=status.steps, description=described(status)
        )


class LogLines:
    """A line for each new row of the log."""

    def __init__(self) -> None:
        self.seen: object = None

    def __call__(self, status: Status) -> None:
        if status.figures is not self.seen and status.figures:
            self.seen = status.figures
            say(f"step {status.step} of {status.steps}: {described(status)}")
