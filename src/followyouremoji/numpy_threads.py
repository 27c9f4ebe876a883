"""NumPy's own threads, which wait at full speed for the next matrix.

Its matrices are small here, and are multiplied beside the networks: without these threads a frame takes four fifths of
the time and half of the processor's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from threadpoolctl import ThreadpoolController

_lock = RLock()  # a forgotten generator may be cleared away while its own thread holds it
_users = 0
_had: list[tuple[ThreadpoolController, int]] = []  # libraries, and how many threads each had


@contextmanager
def without_numpy_threads() -> Iterator[None]:
    """OpenBLAS computes in the threads that call it, for all of the process, until the last user of this is done.
    torch's own copy is left alone, and so are other libraries than OpenBLAS."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            found = ThreadpoolController().select(internal_api="openblas").lib_controllers
            _had[:] = [(one, one.num_threads) for one in found if "torch" not in Path(one.filepath).parts]
            for library, _ in _had:
                library.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for library, threads in _had:
                    library.set_num_threads(threads)
