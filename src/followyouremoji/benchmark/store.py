"""Results in a folder: rows in Parquet files, one file for each system and pair, which is there whole or not at all.

    run.json                        suite, protocol and systems
    rows/SYSTEM/PAIR.parquet        a row for each metric, see `SCHEMA`
    clips/SYSTEM/PAIR.mp4           what the system made, as it looks

A clip is written before its rows, so a pair that has rows is there with all that belongs to it. A run that was stopped
goes on with the pairs that have none, and with those that failed: whatever was the reason, it may be gone. One run at a
time writes to a folder. Any tool that reads Parquet can read `rows` as one table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, TypeAdapter

from followyouremoji.benchmark.metrics import Measured
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.suite import Case
from followyouremoji.config import parse, validated
from followyouremoji.errors import DataError, SettingsError, first_line, shown
from followyouremoji.files import atomic, clear_stale, lock
from followyouremoji.reading import MOST_JSON, read_bytes, regular_file

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as reason:
    raise SettingsError(
        "Results of benchmarks need pyarrow, which is not installed: pip install 'followyouremoji[bench]'"
    ) from reason

RUN, LOCK = "run.json", "lock"
SCHEMA = pa.schema(
    [
        ("system", pa.string()),
        ("pair", pa.string()),
        ("mode", pa.string()),
        ("style", pa.string()),
        ("expression", pa.string()),
        ("metric", pa.string()),  # FAILED where the system made no result
        ("value", pa.float64()),  # null where the clip has none
        ("problem", pa.string()),  # why a system failed, in words; else null
        ("features", pa.list_(pa.list_(pa.float32()))),  # of metrics of sets
        ("reference", pa.list_(pa.list_(pa.float32()))),
    ]
)
NEEDED = ("system", "pair", "mode", "style", "expression", "metric")  # in every row
MOST_ROWS = 1000  # of a system and a pair: there are fewer metrics
TEXTS = [field.name for field in SCHEMA if field.type == pa.string()]
FAILED = "failed"
SECONDS = "seconds"
"""A row of every result: seconds that the system took for a frame. Times differ from run to run, so no table of
metrics holds them."""


@validated
class SystemItem:
    """A system that was run."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """As the tables call it."""
    described: str
    """As the command line gave it."""
    fingerprint: str
    """Changes with what decides its results: weights, settings, files."""


@validated
class Run:
    """What a folder of results belongs to."""

    suite: str
    """The suite's name."""
    suite_folder: str
    fingerprint: str
    """The suite's."""
    protocol: Protocol
    systems: list[SystemItem]
    missing: dict[str, str] = Field(default_factory=dict)
    """Metrics that were not measured, and why, such as a network that was not there."""


@dataclass(frozen=True)
class Row:
    """A row of the store, see `SCHEMA`."""

    system: str
    pair: str
    mode: str
    style: str
    expression: str
    metric: str
    value: float
    problem: str | None = None
    features: np.ndarray | None = None
    reference: np.ndarray | None = None


@dataclass(frozen=True)
class Results:
    """A folder of results."""

    folder: Path
    run: Run

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises DataError where there are none."""
        path = folder / RUN
        try:
            text = read_bytes(path, MOST_JSON)
        except (OSError, ValueError) as reason:
            raise DataError(
                f"{folder} holds no results: its {RUN} cannot be read ({first_line(reason)})."
            ) from None
        return cls(folder, parse(Run, text, path, DataError))

    @classmethod
    def begin(cls, folder: Path, run: Run) -> Self:
        """New results, or those that are there, with more systems perhaps.

        Raises DataError where those that are there are of another suite or protocol, or a system of the same name had
        other weights or settings.
        """
        if (folder / RUN).exists():
            there = cls.read(folder).run
            if there.fingerprint != run.fingerprint:
                raise DataError(
                    f"{folder} holds results of the suite {shown(repr(there.suite))} in another version or of another suite; measure into a new folder."
                )
            run.protocol.check_same(there.protocol, str(folder))
            known = {system.name: system for system in there.systems}
            for system in run.systems:
                if known.get(system.name, system).fingerprint != system.fingerprint:
                    raise DataError(
                        f"{folder} holds results of another {system.name!r}: {shown(known[system.name].described)}. Give this one another name, "
                        "NAME=SYSTEM, or measure into a new folder."
                    )
            run = replace(run, systems=list({**known, **{one.name: one for one in run.systems}}.values()))
        _check_folders(run.systems)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic(folder / RUN) as temporary:
            temporary.write_bytes(TypeAdapter(Run).dump_json(run, indent=1))
        for made in (folder, *folder.glob("rows/*"), *folder.glob("clips/*")):
            clear_stale(made)
        return cls(folder, run)

    def path(self, system: str, pair: str) -> Path:
        """Of the rows of a system and a pair."""
        return self.folder / "rows" / folder_name(system) / f"{pair}.parquet"

    def clip_path(self, system: str, pair: str) -> Path:
        """Of what a system made of a pair."""
        return self.folder / "clips" / folder_name(system) / f"{pair}.mp4"

    def is_done(self, system: str, pair: str) -> bool:
        return self.path(system, pair).exists()

    def add(
        self,
        system: str,
        case: Case,
        measured: Sequence[Measured],
        problem: str | None = None,
        clip: bytes | None = None,
    ) -> None:
        """Write what a system made of a pair, an MP4, and then its rows, each whole or not at all; of one that failed
        the `problem`. Raises OSError where it cannot be written."""
        about = {
            "system": system,
            "pair": case.name,
            "mode": case.mode,
            "style": case.style,
            "expression": case.expression,
        }
        rows: list[dict[str, Any]] = []
        for one in measured:
            value = None if np.isnan(one.value) else float(one.value)
            row: dict[str, Any] = {**about, "metric": one.metric, "value": value}
            for name, features in (("features", one.features), ("reference", one.reference)):
                row[name] = None if features is None else list(features.astype(np.float32))
            rows.append(row)
        if problem is not None:
            rows.append({**about, "metric": FAILED, "problem": problem})
        shown, path = self.clip_path(system, case.name), self.path(system, case.name)
        for made in (shown, path):
            made.parent.mkdir(parents=True, exist_ok=True)
        if clip is None:
            shown.unlink(missing_ok=True)
        else:
            with atomic(shown) as temporary:
                temporary.write_bytes(clip)
        with atomic(path) as temporary:
            pq.write_table(pa.Table.from_pylist(rows, SCHEMA), temporary, use_dictionary=TEXTS)

    def failed(self) -> set[tuple[str, str]]:
        """Systems and pairs whose rows say that there is no result. Raises DataError for a damaged file."""
        return {
            (system.name, path.stem)
            for system, path in self._files()
            if FAILED in _read(path, ["metric"])["metric"].to_pylist()
        }

    def rows(self) -> Iterator[Row]:
        """All rows of the run's systems, in the order of systems and pairs' names; some 1000 files are read in a
        second. Raises DataError for a damaged file."""
        for _, path in self._files():
            table = _read(path, SCHEMA.names)
            features, reference = table["features"], table["reference"]
            for number, row in enumerate(table.drop_columns(["features", "reference"]).to_pylist()):
                row["value"] = float("nan") if row["value"] is None else row["value"]
                try:
                    arrays = _matrix(features[number]), _matrix(reference[number])
                except ValueError:
                    raise _damaged(path, "its features are no matrix") from None
                yield Row(**row, features=arrays[0], reference=arrays[1])

    def _files(self) -> Iterator[tuple[SystemItem, Path]]:
        """Those of rows, without what a run that was killed left half written."""
        for system in self.run.systems:
            for path in sorted((self.folder / "rows" / folder_name(system.name)).glob("[!.]*.parquet")):
                yield system, path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold off other runs from a folder of results, which is made if it is not there. Raises DataError where another
    one writes to it."""
    folder.mkdir(parents=True, exist_ok=True)
    held = lock(folder / LOCK)
    if held is None:
        raise DataError(f"Another run writes to {folder}; wait for its end, or measure into another folder.")
    try:
        yield
    finally:
        held.release()


def _read(path: Path, columns: list[str]) -> pa.Table:
    try:
        with regular_file(path) as opened, pq.ParquetFile(opened) as file:  # half the time of `pq.read_table`
            if not file.schema_arrow.equals(SCHEMA):
                raise ValueError("its columns are not those of results")
            if file.metadata.num_rows > MOST_ROWS:
                raise ValueError("it has too many rows")
            table = file.read(columns)
    except (OSError, ValueError, pa.ArrowException) as reason:
        raise _damaged(path, first_line(reason)) from None
    if any(table[name].null_count for name in columns if name in NEEDED):
        raise _damaged(path, "a text is missing")
    return table


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(f"{path} is damaged ({reason}); delete it, and run the benchmark again.")


def _matrix(rows: pa.ListScalar) -> np.ndarray | None:
    """A list of lists of equal lengths as float32 (n, d)."""
    if not rows.is_valid:
        return None
    return np.asarray(rows.values.flatten(), np.float32).reshape(len(rows.values), -1)


def _check_folders(systems: Sequence[SystemItem]) -> None:
    """Raise DataError where two systems would share a folder."""
    names: dict[str, str] = {}
    for system in systems:
        other = names.setdefault(folder_name(system.name).lower(), system.name)
        if other != system.name:
            raise DataError(
                f"The systems {other!r} and {system.name!r} would share a folder; give one another name, NAME=SYSTEM."
            )


def folder_name(system: str) -> str:
    """A system's name as a folder's."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", system).strip("_.") or "system"
