"""One process at a time where a long run writes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO


def locked(path: Path) -> IO[bytes] | None:
    """`path` opened, and held by this process alone until it is closed or the process ends, however that ends; None where another holds it.

    On a file system that has no locks it is opened without one. Raises OSError where it cannot be written.
    """
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    except OSError:  # no locks here, as on some file systems of clusters
        pass
    return file
