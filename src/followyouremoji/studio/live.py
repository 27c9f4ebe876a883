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
        self.began = 0.0
        """When the session did, `time.monotonic`."""
        self._left = False

    def before(self) -> int:
        """How many have to leave before this one is live; 0 for the one who is.

        Raises SettingsError where it has come to its end: the visitor came again elsewhere, or others wait and this one
        was live for its time.
        """
        with self._live.lock:
            line = self._live.line
            if self not in line:
                raise SettingsError("live goes on in another page of yours")
            over = self.session is not None and monotonic() - self.began > TURN
        if over and len(line) > 1:
            raise SettingsError(
                f"others wait, and you were live for {TURN / 60:.0f} minutes: start again to wait for your next turn"
            )
        return line.index(self)

    def begin(self, make: Callable[[], LiveSession]) -> LiveSession:
        """Begin the session that `make` returns, which takes a moment; it is closed by `leave`, even by one that came
        meanwhile. Raises as `make`."""
        session = make()
        with self._live.lock:
            self.session, self.began, left = session, monotonic(), self._left
        if left:
            session.close()
        return session

    def leave(self) -> None:
        """End the session, and let the next one in."""
        with self._live.lock:
            self._left = True
            session = self.session
        if session is not None:
            session.close()
        with self._live.lock:
            if self in self._live.line:
                self._live.line.remove(self)


class Live:
    """The line of those who are live, the first of them, or wait. Threads may share it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.line: list[Stay] = []

    def come(self, visitor: str) -> Stay:
        """Put a visitor into the line; one who is there already, in another page perhaps, keeps the place.

        Raises SettingsError where too many wait.
        """
        stay = Stay(self, visitor)
        with self.lock:
            known = [place for place, other in enumerate(self.line) if other.visitor == visitor]
            if known:
                self.line[known[0]] = stay
            elif len(self.line) > MOST_WAITING:
                raise SettingsError("too many wait to be live in this studio; come back later")
            else:
                self.line.append(stay)
        return stay

    def close(self) -> None:
        """End whatever runs."""
        for stay in list(self.line):
            stay.leave()
