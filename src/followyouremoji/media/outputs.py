"""Outputs appear whole or not at all.

A file, or a folder of frames, is written under a temporary name in the folder where it will lie and moved into
place when it is complete, so that neither an error nor Ctrl-C leaves half of one, and nothing is replaced unasked.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from followyouremoji.errors import UserError
from followyouremoji.files import hidden_beside

FRAME_NAME = "frame_{:06d}.png"
_FRAME_NAME = re.compile(r"frame_\d{6,}\.png")


def _holds_only_frames(folder: Path) -> bool:
    return all(_FRAME_NAME.fullmatch(entry.name) and entry.is_file() for entry in folder.iterdir())


class PendingOutput:
    """One output on its way: write to `temporary`, then `commit()`; `discard()` leaves no trace of it.

    Parameters
    ----------
    path : where the output shall lie.
    overwrite : whether something that lies there may be replaced. A folder is replaced only if it holds nothing but
        frames that were written before; an empty folder may be filled without `overwrite`.
    error : the class of errors to raise, `PictureError` or `ClipError`.

    Raises
    ------
    error : the output exists, its folder does not, a folder lies where a file shall be written, or `path` has no name of its own, as
        "." has none.
    """

    def __init__(self, path: Path, overwrite: bool, error: type[UserError], folder: bool = False) -> None:
        self.path = path
        self._overwrite = overwrite
        self._error = error
        self._folder = folder
        self.check()
        self.temporary, self._replaced = hidden_beside(path), hidden_beside(path, "old")

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
                if any(path.iterdir()) and not self._overwrite:
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
            if self.path.is_dir():  # a folder cannot be replaced in one step
                self.path.rename(self._replaced)
                try:
                    self.temporary.rename(self.path)
                except BaseException:
                    self._replaced.rename(self.path)
                    raise
                shutil.rmtree(self._replaced, ignore_errors=True)
            else:
                self.temporary.replace(self.path)
        except OSError as reason:
            raise self.failure(reason) from reason

    def discard(self) -> None:
        """Remove what was written so far; nothing happens after `commit()`."""
        if self.temporary.is_dir():
            shutil.rmtree(self.temporary, ignore_errors=True)
        else:
            self.temporary.unlink(missing_ok=True)


@contextmanager
def written_whole(
    path: Path, overwrite: bool, error: type[UserError], *failures: type[Exception]
) -> Iterator[Path]:
    """The temporary name of a file that is written in one go: a `PendingOutput`, committed if all goes well and discarded if not.

    OSError and `failures` while it is written become the `error` that says so.
    """
    output = PendingOutput(path, overwrite, error)
    expected: tuple[type[Exception], ...] = (OSError, *failures)
    try:
        yield output.temporary
        output.commit()
    except expected as reason:
        raise output.failure(reason) from reason
    finally:
        output.discard()
