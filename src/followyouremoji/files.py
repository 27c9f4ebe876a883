"""Files that appear whole or not at all, and one process at a time where a long run writes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def hidden_beside(path: Path, kind: str = "part") -> Path:
    """A new name beside `path`, with its ending: `.STEM.TOKEN.KIND.ENDING`."""
    return path.with_name(f".{_shortened(path.stem)}.{secrets.token_hex(4)}.{kind}{path.suffix}")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name to write a file under, which takes the place of `path` if all goes well and vanishes if not.

    Its content is on the disk before it gets its name: where the power fails, no half of a file is left that looks like
    one. What a killed process leaves is `unfinished`.
    """
    temporary = hidden_beside(path)
    try:
        yield temporary
        flush_to_disk(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Have the content of a file, or of all files in a folder, on the disk, as it must be before it gets its name.
    Raises OSError."""
    for file in path.iterdir() if path.is_dir() else [path]:
        with file.open("r+b") as opened:
            os.fsync(opened.fileno())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, `whole`. Raises OSError where it cannot be written."""
    with whole(path) as temporary:
        # In ASCII: a file name that is no valid text in any encoding still makes a valid JSON text.
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def unfinished(folder: Path, name: str | None = None) -> list[Path]:
    """What killed processes left in a folder under temporary names: of the file or folder `name` in it, or of all.
    Raises OSError."""
    stem, ending = ".+", r"(\.[^.]*)?"
    if name is not None:
        stem, ending = re.escape(_shortened(Path(name).stem)), re.escape(Path(name).suffix)
    temporary = re.compile(rf"\.{stem}\.[0-9a-f]{{8}}\.part{ending}")
    return [path for path in folder.iterdir() if temporary.fullmatch(path.name)]


def remove_unfinished(folder: Path) -> None:
    """Remove the files that are `unfinished`. Only where no other process writes: see `locked`. Raises OSError."""
    for path in unfinished(folder):
        if not path.is_dir():
            path.unlink(missing_ok=True)


def locked(path: Path) -> IO[bytes] | None:
    """`path` opened, and held by this process alone until it is closed or the process ends, however that ends; None
    where another holds it.

    On a file system that has no locks it is opened without one. Raises OSError where it cannot be written.
    """
    file = path.open("ab")
    if _lock(file.fileno()):
        return file
    file.close()
    return None


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold a temporary folder as long as the block runs; gives False where another process holds it, or it cannot be
    opened.

    The folder is locked and not the file in it that an encoder will open by name: some network file systems let nobody
    else open a locked file. Windows cannot lock a folder; there only files that are open stay when somebody removes it.
    """
    if sys.platform == "win32":
        yield True
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock an open file or folder for this process; False where another has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # no locks here, as on some file systems of clusters
        pass
    return True


def _shortened(stem: str) -> str:
    """A name's stem, cut where it would make a temporary name too long, and still unlike that of other names."""
    return stem if len(stem) <= 40 else f"{stem[:32]}~{hashlib.sha256(stem.encode()).hexdigest()[:7]}"
