"""Where pictures and clips are written: at a path, whole or not at all, or into a binary buffer."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Self

from followyouremoji.errors import UserError
from followyouremoji.files import AtomicOutput

OutputTarget = str | os.PathLike[str] | BinaryIO
"""A path, or a binary buffer open for writing."""

_BUFFER = "the result"  # what messages call one


class BufferOutput:
    """A result for a binary buffer, used as an `AtomicOutput` is: write to `temporary`, then `commit()`."""

    def __init__(self, buffer: BinaryIO, ending: str, error: type[UserError]) -> None:
        self._buffer, self._ending, self._error = buffer, ending, error

    def __enter__(self) -> Self:
        try:
            self._folder = TemporaryDirectory()
        except OSError as reason:
            raise self.failure(reason) from reason
        self.temporary = Path(self._folder.name) / f"new{self._ending}"
        return self

    def __exit__(self, *reason: object) -> None:
        self._folder.cleanup()

    def failure(self, reason: Exception) -> UserError:
        """The error to raise when writing failed for `reason`, in a user's words."""
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return self._error(f"cannot write {_BUFFER}: {words}; see that there is room for temporary files")

    def commit(self) -> None:
        """Copy what was written into the buffer."""
        try:
            with self.temporary.open("rb") as made:
                shutil.copyfileobj(made, self._buffer)
        except OSError as reason:
            raise self.failure(reason) from reason


def open_output(
    target: OutputTarget,
    ending: str,
    overwrite: bool,
    error: type[UserError],
    entries: Callable[[str], bool] | None = None,
) -> AtomicOutput | BufferOutput:
    """What writes to `target`; see `AtomicOutput`, also for errors."""
    if isinstance(target, (str, os.PathLike)):
        return AtomicOutput(Path(target), overwrite, error, entries)
    return BufferOutput(target, ending, error)


def name_and_ending(
    target: OutputTarget, format: str | None, endings: Sequence[str], what: str, error: type[UserError]
) -> tuple[str, str]:
    """What messages call an output, and its kind: one of `endings`, in small letters, "" for a folder.

    Parameters
    ----------
    format : of a buffer, an ending without its dot; a path says it itself.
    what : "clip", "picture".

    Raises
    ------
    error : the kind is not one of `endings`.
    ValueError : a buffer without a format, or a path with one.
    """
    known = [ending for ending in endings if ending]
    if isinstance(target, (str, os.PathLike)) and format is None:
        path = Path(target)
        ending = "" if "" in endings and path.is_dir() else path.suffix.lower()
        if ending not in endings:
            folder = ", or in nothing for a folder of PNGs" if "" in endings else ""
            raise error(f"cannot write {path}: a {what}'s name must end in one of {', '.join(known)}{folder}")
        return str(path), ending
    if isinstance(target, (str, os.PathLike)) or format is None:
        raise ValueError("give the format of a buffer, and of nothing else")
    ending = f".{format.lower()}"
    if ending not in known:
        formats = ", ".join(ending[1:] for ending in known)
        raise error(f"cannot write a {what} as {format}; give one of {formats}")
    return _BUFFER, ending
