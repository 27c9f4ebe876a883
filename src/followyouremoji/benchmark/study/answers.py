"""Visits, questions and rankings, in one SQLite file.

A ranking is one transaction on the disk before the page hears of it: neither a killed server nor a power cut loses one.
Nothing about a visitor is kept but a random token.

    study      what the file belongs to
    media      random names of the files that are shown
    visit      a visitor, and of how many pairs he or she is asked
    question   a pair, and the systems in the order in which this visitor sees them
    ranking    the systems from best to worst, for one of `ASPECTS`
"""

from __future__ import annotations

import json
import random
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import TypeAdapter

from followyouremoji.errors import DataError, first_line, some_of

ASPECTS = ("expression", "identity", "overall")
"""What is asked of each pair, one after the other (Sec. 4.3 (c))."""

REPEATED_FROM = 3
"""From so many pairs on, an early one is asked a second time, last and in another order: whoever looks ranks alike."""

OPEN_FOR = 1800.0
"""Seconds for which a question that is not answered yet counts as an answer to come."""

MARK = 0x66796531  # "fye1", SQLite's application_id
PATIENCE = 10.0  # seconds that another writer may take
SCHEMA = """
CREATE TABLE study (fingerprint TEXT NOT NULL, seed TEXT NOT NULL, systems TEXT NOT NULL);
CREATE TABLE media (name TEXT PRIMARY KEY, pair TEXT NOT NULL, what TEXT NOT NULL, UNIQUE (pair, what));
CREATE TABLE visit (token TEXT PRIMARY KEY, pairs INTEGER NOT NULL);
CREATE TABLE question (
    visit TEXT NOT NULL REFERENCES visit, number INTEGER NOT NULL, pair TEXT NOT NULL, shown TEXT NOT NULL,
    repeats INTEGER, asked REAL NOT NULL, PRIMARY KEY (visit, number));
CREATE TABLE ranking (
    visit TEXT NOT NULL, number INTEGER NOT NULL, aspect TEXT NOT NULL, systems TEXT NOT NULL, given REAL NOT NULL,
    PRIMARY KEY (visit, number, aspect), FOREIGN KEY (visit, number) REFERENCES question);
"""
TABLES = SCHEMA.strip().removesuffix(";").split(";\n")
NAMES = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True)
class Question:
    """What a visitor is asked of one pair.

    Attributes
    ----------
    number : from 1.
    shown : the systems in the order of this visitor's letters A, B, C.
    repeats : the number of the question that it repeats; None for a pair that the visitor has not seen.
    rankings : for each aspect that is answered, the systems from best to worst.
    """

    number: int
    pair: str
    shown: tuple[str, ...]
    repeats: int | None
    rankings: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Visit:
    """How far a visitor is; `question` is None at the end."""

    done: int
    total: int
    question: Question | None


class Unknown(LookupError):
    """There is no such visit or question."""


class Answers:
    """The file of one study, as a context manager; threads may share it, and processes may open it at the same time.

    Parameters
    ----------
    path : of the SQLite file, which is made where there is none.
    fingerprint : of the study: what is shown.
    systems : their names.
    create : whether a file may be made.

    Raises
    ------
    DataError : the file cannot be opened, is damaged, locked, no study or another study's.
    """

    def __init__(self, path: Path, fingerprint: str, systems: Sequence[str], create: bool = True) -> None:
        self.path, self.systems = path, tuple(systems)
        self._lock = threading.RLock()
        if not create and not path.exists():
            raise DataError(f"{path} is not there: nobody has taken part yet; begin with fye bench study")
        try:
            self._connection = sqlite3.connect(
                path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as reason:
            raise DataError(
                f"{path} cannot be opened ({first_line(reason)}); name a file in a folder that exists"
            ) from None
        try:
            self._seed = self._begin(fingerprint)
            self._check_rows()
        except (sqlite3.Error, ValueError, LookupError) as reason:
            self._connection.close()
            raise DataError(f"{path} {_in_words(reason)}") from None
        except BaseException:
            self._connection.close()
            raise

    def _begin(self, fingerprint: str) -> str:
        """Make the tables, or see that they are this study's; returns the study's seed."""
        with self._transaction() as database:
            (mark,) = database.execute("PRAGMA application_id").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if mark == 0 and tables == 0:
                for statement in TABLES:
                    database.execute(statement)
                database.execute(f"PRAGMA application_id = {MARK}")
                row = (fingerprint, secrets.token_hex(16), json.dumps(self.systems))
                database.execute("INSERT INTO study VALUES (?, ?, ?)", row)
            elif mark != MARK:
                raise DataError(f"{self.path} is a database, but of no study; name another file with --db")
            if (state := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(" ".join(state.split()))
            made = database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
            if [sql for (sql,) in made] != TABLES:  # a trigger or a view would run with what is asked here
                raise sqlite3.DatabaseError("its tables are others")
            row = database.execute("SELECT fingerprint, seed, systems FROM study").fetchone()
            if row is None:
                raise sqlite3.DatabaseError("it names no study")
            there, seed, systems = row
            if there != fingerprint:
                raise DataError(
                    f"{self.path} holds the answers of another study, on {some_of(_names(systems))}: its systems, suite or protocol "
                    "were others; name another file with --db"
                )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        return str(seed)

    def _check_rows(self) -> None:
        """Raise ValueError where an answer cannot be one to this study: what is read later is taken as it is."""
        for token, questions in self.questions().items():
            self.total(token)
            for one in questions:
                orders = (one.shown, *one.rankings.values())
                if (
                    type(one.number) is not int
                    or type(one.pair) is not str
                    or not one.rankings.keys() <= set(ASPECTS)
                    or any(sorted(order) != sorted(self.systems) for order in orders)
                ):
                    raise ValueError("an answer is of another study")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def media_names(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """A random name for each (pair, what), the same every time: 32 hexadecimal digits."""
        with self._transaction() as database:
            database.executemany(
                "INSERT OR IGNORE INTO media VALUES (?, ?, ?)",
                [(secrets.token_hex(16), pair, what) for pair, what in wanted],
            )
            rows = database.execute("SELECT name, pair, what FROM media").fetchall()
        return {(pair, what): name for name, pair, what in rows}

    def begin(self, pairs: Sequence[str], asked: int) -> str:
        """A new visit that is asked of so many of the `pairs`, and the first question; returns its token."""
        token = secrets.token_hex(16)
        with self._transaction() as database:
            database.execute("INSERT INTO visit VALUES (?, ?)", (token, min(asked, len(pairs))))
            self._ask(database, token, pairs)
        return token

    def visit(self, token: str) -> Visit:
        """Where a visitor is. Raises Unknown."""
        with self._lock:
            questions = self._questions(self._connection, token)
            total = self._total(self._connection, token)
        opened = [question for question in questions if len(question.rankings) < len(ASPECTS)]
        return Visit(len(questions) - len(opened), total, opened[0] if opened else None)

    def save(self, token: str, number: int, aspect: str, places: Sequence[int], pairs: Sequence[str]) -> None:
        """Keep a ranking, in place of an earlier one on the same; where it is the question's last, ask the next.

        Parameters
        ----------
        places : which result of those shown is best, second and so on; 0 is A.
        pairs : what may be asked next.

        Raises
        ------
        Unknown : no such visit or question of this visit.
        DataError : not a ranking of all that is shown.
        """
        if aspect not in ASPECTS:
            raise Unknown(aspect)
        with self._transaction() as database:
            row = database.execute(
                "SELECT shown FROM question WHERE visit = ? AND number = ?", (token, number)
            ).fetchone()
            if row is None:
                raise Unknown(number)
            shown = _names(row[0])
            if sorted(places) != list(range(len(shown))):
                raise DataError(f"a ranking names each of the {len(shown)} results once")
            ranked = json.dumps([shown[place] for place in places])
            database.execute(
                "INSERT OR REPLACE INTO ranking VALUES (?, ?, ?, ?, ?)",
                (token, number, aspect, ranked, time.time()),
            )
            self._ask(database, token, pairs)

    def questions(self) -> dict[str, list[Question]]:
        """All questions of each visit, in the order of visits."""
        with self._lock:
            tokens = [
                token for (token,) in self._connection.execute("SELECT token FROM visit ORDER BY rowid")
            ]
            return {token: self._questions(self._connection, token) for token in tokens}

    def total(self, token: str) -> int:
        """How many questions a visit has in all. Raises Unknown."""
        with self._lock:
            return self._total(self._connection, token)

    @staticmethod
    def _questions(database: sqlite3.Connection, token: str) -> list[Question]:
        ranked: dict[int, dict[str, tuple[str, ...]]] = {}
        for number, aspect, systems in database.execute(
            "SELECT number, aspect, systems FROM ranking WHERE visit = ?", (token,)
        ):
            ranked.setdefault(number, {})[aspect] = _names(systems)
        return [
            Question(number, pair, _names(shown), repeats, ranked.get(number, {}))
            for number, pair, shown, repeats in database.execute(
                "SELECT number, pair, shown, repeats FROM question WHERE visit = ? ORDER BY number", (token,)
            )
        ]

    @staticmethod
    def _total(database: sqlite3.Connection, token: str) -> int:
        row = database.execute("SELECT pairs FROM visit WHERE token = ?", (token,)).fetchone()
        if row is None:
            raise Unknown(token)
        return int(row[0]) + (row[0] >= REPEATED_FROM)

    def _ask(self, database: sqlite3.Connection, token: str, pairs: Sequence[str]) -> None:
        """Ask the next question, unless one is open or all were asked.

        What is asked, and in which order it is shown, follows from the study's seed, the visit and the number.
        """
        questions, total = self._questions(database, token), self._total(database, token)
        if len(questions) == total or any(len(one.rankings) < len(ASPECTS) for one in questions):
            return
        number, repeats = len(questions) + 1, None
        rng = random.Random(f"{self._seed} {token} {number}")
        shown = list(self.systems)
        rng.shuffle(shown)
        if number == total and total > REPEATED_FROM:
            repeated = questions[rng.randrange(max(1, len(questions) // 2))]
            pair, repeats = repeated.pair, repeated.number
            while tuple(shown) == repeated.shown:
                rng.shuffle(shown)
        else:
            unseen = [pair for pair in pairs if pair not in {one.pair for one in questions}]
            if not unseen:  # the study lost pairs since the visit began
                database.execute("UPDATE visit SET pairs = ? WHERE token = ?", (len(questions), token))
                return self._ask(database, token, pairs)
            counts = self._counts(database)
            least = min(counts.get(pair, 0) for pair in unseen)
            pair = rng.choice([pair for pair in unseen if counts.get(pair, 0) == least])
        database.execute(
            "INSERT INTO question VALUES (?, ?, ?, ?, ?, ?)",
            (token, number, pair, json.dumps(shown), repeats, time.time()),
        )

    @staticmethod
    def _counts(database: sqlite3.Connection) -> dict[str, int]:
        """How many visitors answered, or are about to answer, the question on each pair."""
        rows = database.execute(
            "SELECT pair, count(*) FROM question WHERE repeats IS NULL AND (asked > ? OR EXISTS (SELECT 1 FROM ranking "
            "WHERE ranking.visit = question.visit AND ranking.number = question.number)) GROUP BY pair",
            (time.time() - OPEN_FOR,),
        )
        return dict(rows.fetchall())


def _names(text: object) -> tuple[str, ...]:
    """A list of systems, as it lies in the file. Raises ValueError."""
    return NAMES.validate_json(text if isinstance(text, str) else "")


def _in_words(reason: Exception) -> str:
    if "locked" in str(reason):
        return "is locked by another program; end that, or name another file with --db"
    if isinstance(reason, sqlite3.OperationalError):
        return (
            f"cannot be written ({first_line(reason)}); see that it may be written to and the disk has room"
        )
    return f"is damaged or no database ({first_line(reason)}); name another file with --db"
