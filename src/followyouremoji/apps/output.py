"""Where results go, checked before the work starts, and what the user sees meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from followyouremoji.apps.interrupts import end_if_pressed
from followyouremoji.errors import SettingsError, UserError

Advance = Callable[[int, int | None], None]
"""Called with what is done and what is to be done in all, None where that is not known."""


def say(message: str) -> None:
    """A line for the user, on the standard output."""
    print(message, flush=True)


def note(message: str) -> None:
    """A remark beside the result, on the standard error output."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, markup=False, style="yellow")


def counted(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


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

        def advance(done: int, total: int | None) -> None:
            end_if_pressed()  # networks have a thread of their own, and may be far from their next frame
            bar.update(task, completed=done, total=total)

        yield advance


@contextmanager
def advice_on_gpu_memory(advice: str) -> Iterator[None]:
    """A GPU's lack of memory as a SettingsError with advice, wherever it shows; as a block or as a command's
    decorator."""
    try:
        yield
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which is not imported for its name alone
            raise
        raise SettingsError(f"the GPU has too little free memory: {advice}") from error


def check_output(
    path: Path, endings: tuple[str, ...], overwrite: bool, error: type[UserError], what: str
) -> None:
    """Raise `error` if the output could not be written at the end of the work.

    An ending of "" stands for a folder. Something is written beside the output and removed, which is the one sure way
    to know that it can be.
    """
    from followyouremoji.files import AtomicOutput
    from followyouremoji.media.kinds import is_frame

    ending = "" if path.is_dir() and "" in endings else path.suffix.lower()
    if ending not in endings:
        named = ", ".join(one or "nothing for a folder of PNGs" for one in endings)
        raise error(f"cannot write {what} to {path}: its name must end in {named}")
    with AtomicOutput(path, overwrite, error, is_frame if ending == "" else None):
        pass
