"""Outputs appear whole or not at all.

A file, or a folder of frames, is written in a hidden workspace beside the place where it will lie and moved there when
it is complete, so that neither an error nor Ctrl-C leaves half of one, and nothing is replaced unasked. The workspace
is held by the process that writes in it: what a killed one left can be told from what another is still writing.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from followyouremoji.errors import UserError
from followyouremoji.files import flush_to_disk, held, hidden_beside, unfinished

REPLACED = "replaced"
"""In a workspace: the earlier folder of frames, until the new one is in its place."""

FRAME_NAME = "frame_{:06d}.png"
_FRAME_NAME = re.compile(r"frame_\d{6,}\.png")


def _holds_only_frames(folder: Path) -> bool:
    return all(_FRAME_NAME.fullmatch(entry.name) and entry.is_file() for entry in folder.iterdir())


def occupied(path: Path) -> bool:
    """Whether something lies at an output's place; an empty folder is nothing, it may be filled unasked."""
    return path.exists() and not (path.is_dir() and not any(path.iterdir()))


class PendingOutput:
    """One output on its way, as a context manager: write to `temporary`, or to other files beside it, then `commit()`.

    Without that, the end of the block leaves no trace of it.

    Parameters
    ----------
    path : where the output shall lie.
    overwrite : whether something that lies there may be replaced. A folder is replaced only if it holds nothing but
        frames that were written before; an empty folder may be filled without `overwrite`.
    error : the class of errors to raise, `PictureError` or `ClipError`.

    Raises
    ------
    error : the output exists, its folder does not, a folder lies where a file shall be written, or `path` has no name
        of its own, as "." has none. On entering, where nothing can be written beside it.
    """

    def __init__(self, path: Path, overwrite: bool, error: type[UserError], folder: bool = False) -> None:
        self.path = path
        self._overwrite = overwrite
        self._error = error
        self._folder = folder
        self.check()
        self._workspace = hidden_beside(path)
        self.temporary = self._workspace / f"new{path.suffix}"
        self._hold = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._workspace.mkdir()
        except OSError as reason:
            raise self.failure(reason) from reason
        self._hold.enter_context(held(self._workspace))
        return self

    def __exit__(self, *reason: object) -> None:
        with self._hold:
            _clear(self._workspace, self.path)

    def check(self) -> None:
        """Raise if the output could not be put in its place."""
        path = self.path
        try:
            if path.name in ("", ".."):  # nothing can be written beside it and take its place
                raise self._error(f"cannot write to {path} itself; give a new name in it")
            if not path.parent.is_dir():
                raise self._error(f"cannot write {path}: there is no folder {path.parent}; make it first")
            if self._folder and path.is_dir():
                if not _holds_only_frames(path):
                    raise self._error(
                        f"{path} holds files that are not frames of an earlier result, so it is not replaced; "
                        "give a new folder"
                    )
                if occupied(path) and not self._overwrite:
                    raise self._error(f"{path} exists already; give another name or --overwrite")
            elif path.is_dir():
                raise self._error(f"cannot write {path}: a folder of this name exists; give another name")
            elif path.exists() and (self._folder or not self._overwrite):
                raise self._error(f"{path} exists already; give another name or --overwrite")
        except OSError as reason:
            raise self.failure(reason) from reason

    def failure(self, reason: Exception) -> UserError:
        """The error to raise when writing failed for `reason`, in a user's words."""
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return self._error(
            f"cannot write {self.path}: {words}; see that the folder may be written to and the disc has room"
        )

    def commit(self) -> None:
        """Move the finished output into place."""
        self.check()
        try:
            flush_to_disk(self.temporary)
            if self.path.is_dir():  # a folder cannot be replaced in one step
                self.path.rename(self._workspace / REPLACED)
            self.temporary.replace(self.path)
        except OSError as reason:
            raise self.failure(reason) from reason


def check_room(path: Path, needed: int, error: type[UserError]) -> None:
    """Raise `error` where the disk that an output shall lie on has less than `needed` bytes free."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:  # a file system that does not tell
        return
    if free < needed:
        raise error(
            f"cannot write {path}: it may take {_gigabytes(needed)}, and {path.parent.resolve()} has {_gigabytes(free)} free; make room, "
            "write elsewhere, or make it shorter or smaller"
        )


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e8 else f"{number / 1e6:.1f} MB"


def clear_remains(path: Path) -> None:
    """Remove the workspaces that killed processes left of an output; what others are writing stays.

    Where one was killed while it replaced a folder, the earlier folder is in its place again. What cannot be read or
    removed stays too: whoever writes the output is told.
    """
    with suppress(OSError):
        for workspace in unfinished(path.parent, path.name):
            with held(workspace) as alone:
                if alone:
                    _clear(workspace, path)


def _clear(workspace: Path, path: Path) -> None:
    """Remove a workspace; a folder that was being replaced, and is not, goes back to its place."""
    replaced = workspace / REPLACED
    if replaced.exists() and not occupied(path):
        replaced.replace(path)
    shutil.rmtree(workspace, ignore_errors=True)


@contextmanager
def written_whole(
    path: Path, overwrite: bool, error: type[UserError], *failures: type[Exception]
) -> Iterator[Path]:
    """The temporary name of a file that is written in one go: a `PendingOutput`, committed if all goes well and
    discarded if not.

    OSError and `failures` while it is written become the `error` that says so.
    """
    expected: tuple[type[Exception], ...] = (OSError, *failures)
    with PendingOutput(path, overwrite, error) as output:
        try:
            yield output.temporary
            output.commit()
        except expected as reason:
            raise output.failure(reason) from reason
