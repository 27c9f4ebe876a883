"""What a preparation keeps about each clip it has worked on: one JSON file a clip, which says that the work is done."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter

from followyouremoji.data.preparation.discovery import Unit
from followyouremoji.data.preparation.statistics import Histograms, are_complete
from followyouremoji.files import clear_stale, write_json
from followyouremoji.reading import read_bytes

MOST_BYTES = 1 << 26
"""Of a record: those of an hour of film that is cut into pieces have a tenth of it."""

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class ClipEntry:
    """A training clip in the part of its unit: its key, length, and where its members lie, in bytes."""

    key: str
    frames: PositiveInt
    seconds: Seconds
    offset: NonNegativeInt
    length: PositiveInt


@dataclass(frozen=True)
class UnitRecord:
    """The result of a unit.

    Attributes
    ----------
    failure : why nothing could be done with it; None where it was worked on to its end
    damage : why it ended early; what came before was used
    frames, seconds : of the source
    dropped_frames, dropped_pieces : counts by reason, see `selection.Reason`
    clips : what came of it
    """

    name: str
    source: str
    stamp: tuple[int, int]
    failure: str | None = None
    damage: str | None = None
    frames: NonNegativeInt = 0
    seconds: Seconds = 0.0
    dropped_frames: dict[str, NonNegativeInt] = field(default_factory=dict)
    dropped_pieces: dict[str, NonNegativeInt] = field(default_factory=dict)
    clips: tuple[ClipEntry, ...] = ()
    histograms: Histograms = field(default_factory=dict)


class Workspace:
    """The folders of a preparation: `out` holds the shards, `units` the records, `parts` what is not yet packed."""

    def __init__(self, out: Path) -> None:
        self.out, self.settings = out, out / "settings.json"
        self.units, self.parts, self.report = out / "units", out / "parts", out / "report"

    def record_path(self, unit: str) -> Path:
        return self.units / f"{unit}.json"

    def part_path(self, unit: str) -> Path:
        return self.parts / f"{unit}.tar"

    def save(self, record: UnitRecord) -> None:
        write_json(self.record_path(record.name), dataclasses.asdict(record))

    def load(self, unit: str) -> UnitRecord | None:
        """The record of a unit; None if there is none that can be used."""
        try:
            text = read_bytes(self.record_path(unit), MOST_BYTES)
            record = TypeAdapter(UnitRecord).validate_json(text, strict=True)
        except (OSError, ValueError):
            return None
        return record if record.name == unit and are_complete(record.histograms) else None

    def records(self) -> list[UnitRecord]:
        """All records, in the order of their sources."""
        loaded = [self.load(path.stem) for path in self.units.glob("*.json")]
        return sorted((record for record in loaded if record), key=lambda record: record.source)

    def make(self) -> None:
        """Make the folders, and remove what a killed run left half-written. Raises OSError where they cannot be
        made."""
        for folder in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
        self.clear()

    def clear(self) -> None:
        """Remove what is half-written, where nobody is at work."""
        for folder in self._folders:
            clear_stale(folder)

    @property
    def _folders(self) -> tuple[Path, ...]:
        return self.out, self.units, self.parts, self.report


def failed(unit: Unit, reason: str) -> UnitRecord:
    return UnitRecord(unit.name, unit.source, unit.stamp, failure=reason)
