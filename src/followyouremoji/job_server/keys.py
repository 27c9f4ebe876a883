"""Keys of clients: each has a name and limits, and is kept as a checksum alone.

A key is 32 random bytes, so that a plain SHA-256 of it tells nobody what it is.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from followyouremoji.config import parse, validated
from followyouremoji.errors import SettingsError
from followyouremoji.files import lock, write_json
from followyouremoji.options import option

FILE, LOCK = "keys.json", "keys.lock"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LOCAL = "local"
"""The name of all clients where there are no keys."""
PATIENCE = 100  # tries to get the lock, a tenth of a second apart


@validated
class Limits:
    """What one client may ask for."""

    jobs_waiting: int = option(
        1000, "Jobs of the client that may wait at a time.", panel="Limits", ge=1, le=1_000_000
    )
    jobs_a_day: int = option(
        10_000, "Jobs that the client may submit in a day (UTC).", panel="Limits", ge=1, le=10_000_000
    )
    job_megabytes: int = option(
        200, "Largest upload of a job of the client, megabytes.", panel="Limits", ge=1, le=10_000
    )


@validated
class Client:
    """Who holds a key."""

    name: str
    sha256: str
    created: float
    limits: Limits


@validated
class KeyFile:
    """What the file of keys holds."""

    clients: tuple[Client, ...] = ()


class Keys:
    """The keys in a server's folder. What another process changes is seen at the next look."""

    def __init__(self, folder: Path) -> None:
        self._file, self._lock = folder / FILE, folder / LOCK
        self._seen: tuple[int, int] | None = None
        self._clients: dict[str, Client] = {}

    @property
    def needed(self) -> bool:
        """Whether there ever was a key: who removes the last one lets nobody in."""
        return self._file.exists()

    def clients(self) -> list[Client]:
        """All of them by name. Raises SettingsError where the file is damaged."""
        return sorted(self._read().values(), key=lambda client: client.name)

    def of(self, key: str) -> Client | None:
        """Who holds a key; None where nobody does."""
        return self._read().get(_digest(key))  # of a digest the time tells nothing

    def add(self, name: str, limits: Limits) -> str:
        """Make a client's key, which is returned and never kept. Raises SettingsError where the name is taken or is
        none."""
        if not NAME.fullmatch(name):
            raise SettingsError(f"{name!r} is no name for a key: use letters, digits, dots and dashes")
        key = f"fye_{secrets.token_urlsafe(32)}"
        client = Client(name=name, sha256=_digest(key), created=time.time(), limits=limits)
        with self._changing():
            clients = self.clients()
            if any(one.name == name for one in clients):
                raise SettingsError(f"there is a key named {name} already; remove it first, or name another")
            self._write([*clients, client])
        return key

    def remove(self, name: str) -> None:
        """Raises SettingsError where there is none of this name."""
        with self._changing():
            clients = self.clients()
            rest = [one for one in clients if one.name != name]
            if len(rest) == len(clients):
                raise SettingsError(f"there is no key named {name}")
            self._write(rest)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile."""
        for _ in range(PATIENCE):
            if (held := lock(self._lock)) is not None:
                break
            time.sleep(0.1)
        else:
            raise SettingsError(f"{self._lock} is held by another command; end it first")
        try:
            yield
        finally:
            held.release()

    def _read(self) -> dict[str, Client]:
        try:
            state = self._file.stat()
        except FileNotFoundError:
            return {}
        seen = state.st_ino, state.st_mtime_ns
        if seen != self._seen:
            kept = parse(KeyFile, self._file.read_bytes(), self._file)
            self._clients, self._seen = {client.sha256: client for client in kept.clients}, seen
        return self._clients

    def _write(self, clients: list[Client]) -> None:
        write_json(self._file, {"clients": [asdict(client) for client in clients]})


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
