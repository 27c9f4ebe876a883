"""Files that are made from others when they are first asked for, and kept beside them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

AT_ONCE = 1
"""Files that are made at a time: encoders have threads of their own."""


class DerivedFiles:
    """Makes each once, whoever asks meanwhile."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._workers = ThreadPoolExecutor(AT_ONCE, "encoding")
        self._making: dict[Path, Future[None]] = {}

    def close(self) -> None:
        self._workers.shutdown(wait=False, cancel_futures=True)

    def begin(self, path: Path, write: Callable[[], None]) -> Future[None] | None:
        """Have `write` write the file in the background, whole or not at all; None where it is there already."""
        with self._lock:
            if path.exists():
                return None
            if (making := self._making.get(path)) is None:
                making = self._making[path] = self._workers.submit(write)
                making.add_done_callback(lambda _: self._making.pop(path, None))
            return making

    def get(self, path: Path, write: Callable[[], None]) -> Path:
        """The file, waited for. Raises what `write` raises."""
        making = self.begin(path, write)
        if making is not None:
            making.result()
        return path
