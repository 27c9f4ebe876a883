"""Short work that visitors wait for, in turns: a visitor who asks often is served no more often than others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Superseded(Exception):
    """The visitor has asked for something later meanwhile."""


class Turns:
    """Lets one at a time in, visitors in the order in which they came. Of one visitor only the latest request waits."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: dict[str, object] = {}
        self._busy = False

    @contextmanager
    def turn(self, owner: str) -> Iterator[None]:
        """Wait for a visitor's turn, which lasts as long as the block. Raises Superseded."""
        request = object()
        with self._changed:
            self._waiting[owner] = request  # an earlier one's place is kept
            self._changed.notify_all()
            while self._busy or next(iter(self._waiting)) != owner:
                self._changed.wait()
                if self._waiting.get(owner) is not request:
                    raise Superseded
            del self._waiting[owner]
            self._busy = True
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
