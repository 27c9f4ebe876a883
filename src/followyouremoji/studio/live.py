"""Who is live: one visitor at a time, for a model makes only so many pictures a second.

Others wait in the order in which they came. Nobody who is alone has to stop; where others wait, one who is live has
some minutes. Animations are not held back, nor do they hold live back: both go on, slower.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from followyouremoji.errors import SettingsError

if TYPE_CHECKING:
    from followyouremoji.live import LiveSession

TURN = 300.0
"""Seconds that one is live at most where others wait."""

MOST_WAITING = 20
"""Visitors."""


class Stay:
    """A visitor who is live or waits for that, until `leave`. Threads may share it."""

    def __init__(self, live: Live, visitor: str) -> None:
        self._live, self.visitor = live, visitor
        self.session: LiveSession | None = None
        self.began: float | None = None
        """When the visitor's turn did, `time.monotonic`."""

    def before(self) -> int:
        """How many have to leave before this one is live; 0 for the one who is.

        Raises SettingsError where it has come to its end: the visitor came again elsewhere, or others wait and this one
        was live for its time.
        """
        with self._live.lock:
            line = list(self._live.line)
        if self not in line:
            raise SettingsError("live goes on in another page of yours")
        if self.began is not None and len(line) > 1 and monotonic() - self.began > TURN:
            raise SettingsError(
                f"others wait, and you were live for {TURN / 60:.0f} minutes: start again to wait for your next turn"
            )
        return line.index(self)

    def begin(self, make: Callable[[], LiveSession]) -> LiveSession:
        """Begin the session that `make` returns; `leave` closes it. Raises as `make`."""
        self.session = make()
        if self.began is None:
            self.began = monotonic()
        return self.session

    def leave(self) -> None:
        """End the session, and let the next one in."""
        if self.session is not None:
            self.session.close()
        with self._live.lock:
            if self in self._live.line:
                self._live.line.remove(self)


class Live:
    """The line of those who are live, the first of them, or wait. Threads may share it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.line: list[Stay] = []

    def come(self, visitor: str) -> Stay:
        """Put a visitor into the line. One who is there already, in another page or with another portrait, keeps the
        place, and the turn as it is.

        Raises SettingsError where too many wait.
        """
        stay = Stay(self, visitor)
        with self.lock:
            for place, other in enumerate(self.line):
                if other.visitor == visitor:
                    stay.began = other.began
                    self.line[place] = stay
                    return stay
            if len(self.line) > MOST_WAITING:
                raise SettingsError("too many wait to be live in this studio; come back later")
            self.line.append(stay)
        return stay
