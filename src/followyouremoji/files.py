"""Files and folders that appear whole or not at all, and locks.

Whatever is written comes into being in a hidden workspace beside its place, and is moved there when it is complete and
on the disk: neither an error, nor Ctrl-C, nor a power cut leaves half of one. The process that writes in a workspace
holds its lock, so that the files of a killed one can be distinguished from those that another is still writing.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from filelock import BaseFileLock, FileLock, Timeout

from followyouremoji.errors import UserError
from followyouremoji.reading import regular_file

if TYPE_CHECKING:
    import numpy as np

LOCK = "lock"  # in a workspace
REPLACED = "replaced"  # in a workspace: an earlier folder, until the new one is in place
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path to write a file or a folder under, which takes the place of `path` if the block ends well and
    vanishes if not. Raises OSError where it cannot be written or moved."""
    with _workspace(path) as workspace:
        new = workspace / f"new{path.suffix}"
        yield new
        _move(new, path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all. Raises OSError where it cannot be written."""
    with atomic(path) as temporary:
        # In ASCII: a file name that is no valid text in any encoding still makes a valid JSON text.
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def make_folder(path: Path) -> None:
    """Make a folder of the program's own, where there is none. Raises OSError, also for a link: what is written there
    would lie elsewhere."""
    path.mkdir(exist_ok=True)
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link, which may lead elsewhere", str(path))


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, compressed: bool = False) -> None:
    """Write NumPy's archive of arrays, whole or not at all. Raises OSError where it cannot be written."""
    import numpy as np

    written = BytesIO()  # of a file on a full disk, zipfile complains once more when it is forgotten
    (np.savez_compressed if compressed else np.savez)(written, **arrays)
    with atomic(path) as temporary:
        temporary.write_bytes(written.getbuffer())


class AtomicOutput:
    """A result that a user asked for by name, as a context manager: write to `temporary`, or to other files beside it,
    then `commit()`. It is checked beforehand and replaces nothing unasked; without `commit` no trace of it is left.

    Parameters
    ----------
    path : where the result shall lie.
    overwrite : whether what lies there may be replaced; an empty folder may be filled without it.
    error : the class of errors to raise.
    entries : for a folder, tells by its name whether an entry can be of an earlier result: no folder that holds
        anything else is ever replaced. None: the result is a file.

    Raises
    ------
    error : the output exists, its folder does not, it is a folder and not a file or the other way round, or `path` has
        no name of its own, as "." has none. On entering, where nothing can be written beside it.
    """

    def __init__(
        self,
        path: Path,
        overwrite: bool,
        error: type[UserError],
        entries: Callable[[str], bool] | None = None,
    ) -> None:
        self.path, self._overwrite, self._error, self._entries = path, overwrite, error, entries
        clear_stale(path.parent, path.name)
        self.check()
        self._stack = ExitStack()
        self.temporary = path  # until the block begins

    def __enter__(self) -> Self:
        try:
            workspace = self._stack.enter_context(_workspace(self.path))
        except OSError as reason:
            raise self.failure(reason) from reason
        self.temporary = workspace / f"new{self.path.suffix}"
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    def check(self) -> None:
        """Raise if the output could not be put in its place."""
        path, problem, settings = self.path, None, list[str]()
        try:
            if path.name in ("", ".."):  # nothing can be written beside it and take its place
                problem = f"cannot write to {path} itself; give a new name in it"
            elif not path.parent.is_dir():
                problem = f"cannot write {path}: there is no folder {path.parent}; make it first"
            elif path.is_dir() != (self._entries is not None) and path.exists():
                kind = "folder" if path.is_dir() else "file"
                problem = f"cannot write {path}: a {kind} of this name exists; give another name"
            elif path.is_dir() and self._entries is not None:
                foreign = sorted(one.name for one in path.iterdir() if not self._entries(one.name))
                if foreign:
                    problem = f"{path} holds {foreign[0]}, which is of no earlier result, so it is not replaced; give a new folder"
            if problem is None and is_taken(path) and not self._overwrite:
                problem, settings = (
                    f"{path} exists already; give another name, or have it replaced",
                    ["overwrite"],
                )
        except OSError as reason:
            raise self.failure(reason) from reason
        if problem is not None:
            raise self._error(problem, settings=settings)

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
            _move(self.temporary, self.path)
        except OSError as reason:
            raise self.failure(reason) from reason


@contextmanager
def atomic_output(
    path: Path,
    overwrite: bool,
    error: type[UserError],
    *failures: type[Exception],
    entries: Callable[[str], bool] | None = None,
) -> Iterator[Path]:
    """The temporary path of an `AtomicOutput` that is written in one go, and committed if all goes well.

    OSError and `failures` while it is written become the `error` that says so.
    """
    expected: tuple[type[Exception], ...] = (OSError, *failures)
    with AtomicOutput(path, overwrite, error, entries) as output:
        try:
            yield output.temporary
            output.commit()
        except expected as reason:
            raise output.failure(reason) from reason


def checksum(path: Path) -> str:
    """SHA-256 of a regular file, in hexadecimal digits. Raises OSError."""
    with regular_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_taken(path: Path) -> bool:
    """Whether something lies at an output's place, a link that leads nowhere, too; an empty folder may be filled."""
    return os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir()))


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


def workspaces(folder: Path, name: str | None = None) -> list[Path]:
    """The workspaces in a folder, of the output `name` or of all; somebody may be writing in them. Raises OSError."""
    stem, ending = ".+", r"(\.[^.]*)?"
    if name is not None:
        stem, ending = re.escape(_shortened(Path(name).stem)), re.escape(Path(name).suffix)
    named = re.compile(rf"\.{stem}\.[0-9a-f]{{8}}\.part{ending}")
    return [path for path in folder.iterdir() if named.fullmatch(path.name) and not path.is_symlink()]


def clear_stale(folder: Path, name: str | None = None) -> None:
    """Remove the workspaces that killed processes left in a folder, of the output `name` or of all.

    A folder that one was killed over while it replaced it is in its place again. What others are writing stays, and so
    does what cannot be removed, and everything where a file system has no locks to tell by.
    """
    with suppress(OSError):
        for workspace in workspaces(folder, name):
            with suppress(OSError):
                held = lock(workspace / LOCK)
                if held is not None and held.is_locked:
                    held.release()
                    _remove(workspace)


def lock(path: Path) -> BaseFileLock | None:
    """A lock on the file `path`, held until it is released or the process ends, however that ends; None where another
    holds it.

    On a file system that has no locks it is not locked and holds nobody off, and a warning says so, once. Raises
    OSError where the file cannot be written.
    """
    held = FileLock(path, thread_local=False)
    try:
        held.acquire(timeout=0)
    except Timeout:
        return None
    except (OSError, NotImplementedError) as reason:
        if isinstance(reason, OSError) and reason.errno not in NO_LOCKS:
            raise
        _warn_of_no_locks()
    return held


@cache
def _warn_of_no_locks() -> None:
    warnings.warn(
        "the file system has no locks: see to it that no other run writes to the same place, and remove hidden files ending in .part "
        "yourself where a run was killed",
        stacklevel=3,
    )


@contextmanager
def _workspace(path: Path) -> Iterator[Path]:
    """A new folder `.STEM.TOKEN.part.ENDING` beside `path`, locked and, in the end, removed."""
    workspace = path.with_name(f".{_shortened(path.stem)}.{secrets.token_hex(4)}.part{path.suffix}")
    workspace.mkdir()
    held = None
    try:
        held = lock(workspace / LOCK)
        yield workspace
    finally:
        if held is not None:
            held.release()
        _remove(workspace)


def _move(new: Path, path: Path) -> None:
    """Have a finished file or folder on the disk, and then in its place."""
    for file in new.rglob("*") if new.is_dir() else [new]:
        if not file.is_dir():
            with file.open("r+b") as opened:
                os.fsync(opened.fileno())
    if new.is_dir() and path.is_dir():  # a folder cannot be replaced in one step
        (new.parent / REPLACED).mkdir()
        path.rename(new.parent / REPLACED / path.name)
    new.replace(path)


def _remove(workspace: Path) -> None:
    """Remove a workspace; a folder that was being replaced, and is not, goes back to its place."""
    for replaced in (workspace / REPLACED).glob("*"):
        if not is_taken(workspace.parent / replaced.name):
            replaced.replace(workspace.parent / replaced.name)
    shutil.rmtree(workspace, ignore_errors=True)


def _shortened(stem: str) -> str:
    """A name's stem, cut where it would make a temporary name too long, and still unlike that of other names."""
    return stem if len(stem) <= 40 else f"{stem[:32]}~{hashlib.sha256(stem.encode()).hexdigest()[:7]}"


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e8 else f"{number / 1e6:.1f} MB"
