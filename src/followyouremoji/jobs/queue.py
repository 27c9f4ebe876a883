"""A queue of jobs in SQLite, which several processes may share: owners take turns, an owner at a time, not a job at a
time.

A job is claimed in a transaction, with a lease. Who claimed it says so again before the lease ends; what a killed one
left is claimed by its successor of the same name at once, and by any other when the lease has ended. Only who holds a
job can end it, so nothing is done twice.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from threading import RLock
from typing import Any

from followyouremoji.jobs.work import JobState

LEASE = 60.0
"""Seconds that a job is its worker's without a word of it."""
MOST_DEATHS = 3
"""Of workers, until the job that they were at has failed: it may be what kills them."""
BUSY = 30.0  # seconds that a transaction waits for another's
KILLED = "the process that made it was killed several times; the files or the settings may be too large for the machine"
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    request TEXT NOT NULL,
    key TEXT,
    worker TEXT,
    lease REAL,
    deaths INTEGER NOT NULL DEFAULT 0,
    cancelling INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    told TEXT NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX IF NOT EXISTS once ON jobs (owner, key);
CREATE INDEX IF NOT EXISTS lines ON jobs (state, owner, number);
CREATE INDEX IF NOT EXISTS owned ON jobs (owner, number);
CREATE TABLE IF NOT EXISTS turns (owner TEXT PRIMARY KEY, turn INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS days (owner TEXT, day TEXT, jobs INTEGER NOT NULL, PRIMARY KEY (owner, day));
CREATE TABLE IF NOT EXISTS totals (
    state TEXT PRIMARY KEY, jobs INTEGER NOT NULL, waited REAL NOT NULL, worked REAL NOT NULL
);
"""
"""`turns` holds owners of whom a job waits, the next one with the least turn; `days` counts what owners submitted by
UTC day, and `totals` all jobs that have ended, with the seconds that they waited and worked."""


@dataclass(frozen=True)
class Entry:
    """A job of a queue as it is noted.

    Attributes
    ----------
    number : in the order in which jobs came
    request : what is asked for, as JSON; the queue does not look into it
    key : by which its owner knows that it was submitted before
    cancelling : whether it shall end at its next step
    deaths : of workers that were at it
    created, started, ended : seconds since the epoch
    told : what it tells while it runs and when it has ended, as JSON
    """

    number: int
    id: str
    owner: str
    state: JobState
    request: str
    key: str | None
    cancelling: bool
    deaths: int
    created: float
    started: float | None
    ended: float | None
    told: str


COLUMNS = ", ".join(field.name for field in fields(Entry))
LAST, FIRST = (f"(SELECT coalesce({turn}, 0) FROM turns)" for turn in ("max(turn) + 1", "min(turn) - 1"))
"""Of the turns, in SQL."""


@dataclass(frozen=True)
class Load:
    """What is there already when a job is submitted: jobs that wait, of its owner and of all, and those that its owner
    submitted today."""

    own: int
    all: int
    today: int


class Queue:
    """The queue in a file, or in memory without one. Threads may share it; processes open the same file."""

    def __init__(self, file: Path | None = None) -> None:
        self._writer, self._writing = _connected(file), RLock()
        self._writer.executescript(SCHEMA)
        # Reading waits for no transaction where it has a connection of its own.
        self._reader, self._reading = (
            (self._writer, self._writing) if file is None else (_connected(file), RLock())
        )

    def close(self) -> None:
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    # Submitting

    def submit(
        self,
        identity: str,
        owner: str,
        check: Callable[[Load], None],
        request: str = "",
        key: str | None = None,
    ) -> tuple[Entry, bool]:
        """Put a job in its owner's line; also returns whether it is new: of one that was submitted with the same `key`
        before, that one is returned. Raises what `check` raises, which sees what is there."""
        with self._transaction() as database:
            if key is not None and (before := self._one("owner = ? AND key = ?", (owner, key), database)):
                return before, False
            check(self.load(owner))
            now, day = time.time(), time.strftime("%Y-%m-%d", time.gmtime())
            database.execute(f"INSERT OR IGNORE INTO turns VALUES (?, {LAST})", (owner,))
            database.execute(
                "INSERT INTO jobs (id, owner, state, request, key, created) VALUES (?, ?, 'waiting', ?, ?, ?)",
                (identity, owner, request, key, now),
            )
            database.execute(
                "INSERT INTO days VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1", (owner, day)
            )
            database.execute("DELETE FROM days WHERE day < ?", (day,))
            made = self._one("id = ?", (identity,), database)
            assert made is not None
            return made, True

    def load(self, owner: str) -> Load:
        """What is there of an owner's jobs and of all."""
        day = time.strftime("%Y-%m-%d", time.gmtime())
        return Load(
            self._number("SELECT count(*) FROM jobs WHERE state = 'waiting' AND owner = ?", owner),
            self._number("SELECT count(*) FROM jobs WHERE state = 'waiting'"),
            self._number("SELECT coalesce(sum(jobs), 0) FROM days WHERE owner = ? AND day = ?", owner, day),
        )

    # Working

    def claim(self, worker: str, lease: float = LEASE) -> Entry | None:
        """The next job, which is then the worker's: one that a killed worker left, or else the first of the owner whose
        turn it is. None where there is nothing to do."""
        left = "state = 'running' AND (worker = ? OR lease < ?)"
        now = time.time()
        if not self._number(
            f"SELECT EXISTS (SELECT 1 FROM turns) OR EXISTS (SELECT 1 FROM jobs WHERE {left})", worker, now
        ):
            return None  # without a transaction: workers ask often
        with self._transaction() as database:
            while entry := self._one(left, (worker, now), database):
                deaths = entry.deaths + 1
                if not self._is_given_up(entry, deaths, database):
                    return self._begin(entry, worker, lease, deaths, database)
            turn = database.execute("SELECT owner FROM turns ORDER BY turn LIMIT 1").fetchone()
            if turn is None:
                return None
            entry = self._one("state = 'waiting' AND owner = ?", turn, database)
            assert entry is not None
            begun = self._begin(entry, worker, lease, entry.deaths, database)
            database.execute("DELETE FROM turns WHERE owner = ?", turn)
            if self._waits(entry.owner, database):
                database.execute(f"INSERT INTO turns VALUES (?, {LAST})", turn)
            return begun

    def renew(self, identity: str, worker: str, told: str, lease: float = LEASE) -> bool | None:
        """Say how far a claimed job is, and keep it; returns whether it shall end, and None where it is not the
        worker's any more."""
        with self._transaction() as database:
            row = database.execute(
                "UPDATE jobs SET told = ?, lease = ? WHERE id = ? AND worker = ? AND state = 'running' "
                "RETURNING cancelling",
                (told, time.time() + lease, identity, worker),
            ).fetchone()
            return None if row is None else bool(row[0])

    def finish(self, identity: str, worker: str, state: JobState, told: str = "{}") -> bool:
        """Note how a claimed job ended; returns False, and does nothing, where it is not the worker's any more."""
        with self._transaction() as database:
            entry = self._one("id = ? AND worker = ? AND state = 'running'", (identity, worker), database)
            if entry is not None:
                self._end(entry, state, told, database)
            return entry is not None

    def release(self, identity: str, worker: str) -> None:
        """Give a claimed job back: it waits, the first of all."""
        with self._transaction() as database:
            entry = self._one("id = ? AND worker = ? AND state = 'running'", (identity, worker), database)
            if entry is not None:
                self._take_back(entry, entry.deaths, database)

    def release_all(self, *, killed: bool = False) -> None:
        """Give all claimed jobs back, where no worker is alive; `killed` counts as a worker's death."""
        with self._transaction() as database:
            for entry in reversed(self._all("state = 'running' ORDER BY number", (), database)):
                self._take_back(entry, entry.deaths + killed, database)

    # Looking and changing

    def find(self, identity: str, owner: str) -> Entry | None:
        """An owner's job."""
        return self._one("id = ? AND owner = ?", (identity, owner))

    def listed(
        self, owner: str, most: int, state: str | None = None, before: int | None = None
    ) -> list[Entry]:
        """An owner's jobs, the latest first: those of a state, and those that came before a number."""
        where, values = "owner = ?", [owner, *([] if state is None else [state])]
        where += "" if state is None else " AND state = ?"
        where += "" if before is None else f" AND number < {int(before)}"
        return self._all(f"{where} ORDER BY number DESC LIMIT {int(most)}", values)

    def cancel(self, identity: str, owner: str) -> Entry | None:
        """Have an owner's job end: at once where it waits, at its next step where it runs; returns it as it is then."""
        with self._transaction() as database:
            entry = self._one("id = ? AND owner = ?", (identity, owner), database)
            if entry is None:
                return None
            if entry.state == "waiting":
                self._end(entry, "cancelled", entry.told, database)
                if not self._waits(owner, database):
                    database.execute("DELETE FROM turns WHERE owner = ?", (owner,))
            elif entry.state == "running":
                database.execute("UPDATE jobs SET cancelling = 1 WHERE id = ?", (identity,))
            return self._one("id = ?", (identity,), database)

    def place(self, entry: Entry) -> int:
        """How many jobs are done before one that waits, those that run included; 0 for one that runs or has ended."""
        if entry.state != "waiting":
            return 0
        own = self._number(
            "SELECT count(*) FROM jobs WHERE state = 'waiting' AND owner = ? AND number < ?",
            entry.owner,
            entry.number,
        )
        place = own + self._number("SELECT count(*) FROM jobs WHERE state = 'running'")
        earlier = 1
        with self._reading:
            lines = self._reader.execute(
                "SELECT turns.owner, count(*) FROM turns JOIN jobs ON jobs.owner = turns.owner "
                "WHERE jobs.state = 'waiting' GROUP BY turns.owner ORDER BY turns.turn"
            ).fetchall()
        for owner, waiting in lines:
            if owner == entry.owner:
                earlier = 0
            else:
                place += min(waiting, own + earlier)
        return place

    def ended_before(self, moment: float, most: int = 100) -> list[Entry]:
        """Jobs that ended before a moment, seconds since the epoch."""
        return self._all(f"ended < ? LIMIT {int(most)}", [moment])

    def forget(self, identity: str) -> None:
        """Remove a job that has ended from the list; one under way stays."""
        with self._transaction() as database:
            database.execute("DELETE FROM jobs WHERE id = ? AND ended IS NOT NULL", (identity,))

    def identities(self, states: Sequence[JobState]) -> set[str]:
        """Of all jobs in one of the states."""
        marks = ", ".join("?" * len(states))
        with self._reading:
            return {
                row[0]
                for row in self._reader.execute(f"SELECT id FROM jobs WHERE state IN ({marks})", states)
            }

    def counts(self) -> dict[str, int]:
        """How many jobs are listed, by their states."""
        with self._reading:
            return dict(self._reader.execute("SELECT state, count(*) FROM jobs GROUP BY state"))

    def totals(self) -> list[tuple[str, int, float, float]]:
        """Of all jobs that ever ended: by state how many, and the seconds that they waited and worked."""
        with self._reading:
            return self._reader.execute("SELECT state, jobs, waited, worked FROM totals").fetchall()

    # Within a transaction

    @staticmethod
    def _waits(owner: str, database: sqlite3.Connection) -> bool:
        return bool(
            database.execute(
                "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'waiting' AND owner = ?)", (owner,)
            ).fetchone()[0]
        )

    def _is_given_up(self, entry: Entry, deaths: int, database: sqlite3.Connection) -> bool:
        """Whether a job ends instead of being done again: it is not wanted, or its workers die of it."""
        if entry.cancelling:
            self._end(entry, "cancelled", entry.told, database)
        elif deaths >= MOST_DEATHS:
            self._end(entry, "failed", json.dumps({"error": KILLED}), database)
        else:
            return False
        return True

    def _take_back(self, entry: Entry, deaths: int, database: sqlite3.Connection) -> None:
        if self._is_given_up(entry, deaths, database):
            return
        database.execute(
            "UPDATE jobs SET state = 'waiting', worker = NULL, lease = NULL, deaths = ? WHERE id = ?",
            (deaths, entry.id),
        )
        database.execute(f"INSERT OR REPLACE INTO turns VALUES (?, {FIRST})", (entry.owner,))

    def _begin(
        self, entry: Entry, worker: str, lease: float, deaths: int, database: sqlite3.Connection
    ) -> Entry:
        now = time.time()
        database.execute(
            "UPDATE jobs SET state = 'running', worker = ?, lease = ?, deaths = ?, started = coalesce(started, ?) "
            "WHERE id = ?",
            (worker, now + lease, deaths, now, entry.id),
        )
        begun = self._one("id = ?", (entry.id,), database)
        assert begun is not None
        return begun

    @staticmethod
    def _end(entry: Entry, state: JobState, told: str, database: sqlite3.Connection) -> None:
        now = time.time()
        database.execute(
            "UPDATE jobs SET state = ?, told = ?, ended = ?, worker = NULL, lease = NULL WHERE id = ?",
            (state, told, now, entry.id),
        )
        waited = (entry.started or now) - entry.created
        worked = 0.0 if entry.started is None else now - entry.started
        database.execute(
            "INSERT INTO totals VALUES (?, 1, ?, ?) ON CONFLICT DO UPDATE SET jobs = jobs + 1, "
            "waited = waited + excluded.waited, worked = worked + excluded.worked",
            (state, max(0.0, waited), max(0.0, worked)),
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # on a full disk SQLite has ended it already
                    self._writer.execute("ROLLBACK")
                raise

    def _one(
        self, where: str, values: Sequence[Any], database: sqlite3.Connection | None = None
    ) -> Entry | None:
        found = self._all(f"{where} ORDER BY number LIMIT 1", values, database)
        return found[0] if found else None

    def _all(
        self, where: str, values: Sequence[Any], database: sqlite3.Connection | None = None
    ) -> list[Entry]:
        with self._reading if database is None else self._writing:
            rows = (database or self._reader).execute(f"SELECT {COLUMNS} FROM jobs WHERE {where}", values)
            return [Entry(*row) for row in rows]

    def _number(self, sql: str, *values: Any) -> int:
        with self._reading:
            number: int = self._reader.execute(sql, values).fetchone()[0]
            return number


def _connected(file: Path | None) -> sqlite3.Connection:
    """A connection whose commits are on the disk when they return."""
    connection = sqlite3.connect(
        ":memory:" if file is None else file, BUSY, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection
