"""What lies in a folder beside the studio: results of benchmarks, with their reports and studies, and training runs.

A page asks for it by an id, which is looked up among what is there; no path is made of it.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from followyouremoji.errors import SettingsError, UserError
from followyouremoji.studio.material import NotThere
from followyouremoji.studio.settings import StudioSettings
from followyouremoji.training.journal import VALIDATION_LOG

DEPTHS = ("", "*/", "*/*/")
"""How far below the folder is looked."""

RUN, REPORT, STUDY = "run.json", "report.html", "study.db"
"""In a folder of results, see `benchmark.store`; the study's answers, see `fye bench study`."""


@dataclass(frozen=True)
class Workshop:
    """A folder that is looked into, and what is in it."""

    folder: Path

    @classmethod
    def of(cls, settings: StudioSettings) -> Workshop | None:
        """The folder that is asked for or this one, where it holds something; where others can reach the studio, only
        one that is asked for. Raises SettingsError where that is none."""
        if settings.bench is not None and not settings.bench.is_dir():
            raise SettingsError(f"{settings.bench} is no folder", settings=["bench"])
        if settings.bench is None and not (settings.local and settings.public_url is None):
            return None
        found = cls(settings.bench or Path())
        return found if any(found._with(RUN)) or any(found._with(VALIDATION_LOG)) else None

    def benchmarks(self) -> list[dict[str, Any]]:
        """Results of `fye bench run` by name; what cannot be read is left out."""
        found = []
        for folder in self._with(RUN):
            try:
                from followyouremoji.benchmark.store import Results

                run = Results.read(folder).run
            except UserError:  # pyarrow is missing, too
                continue
            found.append(
                {
                    "id": _identity(folder),
                    "name": self._name(folder),
                    "folder": str(folder),
                    "suite": run.suite,
                    "systems": [system.name for system in run.systems],
                    "report": (folder / REPORT).is_file(),
                    "study": (folder / STUDY).is_file(),
                }
            )
        return found

    def scores(self, identity: str) -> str:
        """The table of a benchmark's figures, as text. Raises NotThere, and DataError where there are none yet."""
        from followyouremoji.benchmark.report import compact_table
        from followyouremoji.benchmark.store import Results

        return compact_table(Results.read(self._find(identity)))

    def report(self, identity: str) -> Path:
        """The page of a benchmark. Raises NotThere."""
        path = self._find(identity) / REPORT
        if not path.is_file():
            raise NotThere(identity)
        return path

    def trainings(self) -> list[dict[str, Any]]:
        """Training runs by name, with the last row of what they validated; what cannot be read is left out."""
        found = []
        for folder in self._with(VALIDATION_LOG):
            try:
                with (folder / VALIDATION_LOG).open(newline="", encoding="utf-8") as file:
                    rows = list(csv.DictReader(file))
            except (OSError, ValueError, csv.Error):
                continue
            if rows:
                found.append({"name": self._name(folder), "last": rows[-1]})
        return found

    def _with(self, name: str) -> Iterator[Path]:
        """Folders that hold a file, sorted."""
        for depth in DEPTHS:
            yield from (path.parent for path in sorted(self.folder.glob(f"{depth}{name}")))

    def _find(self, identity: str) -> Path:
        for folder in self._with(RUN):
            if _identity(folder) == identity:
                return folder
        raise NotThere(identity)

    def _name(self, folder: Path) -> str:
        relative = folder.relative_to(self.folder)
        return folder.resolve().name if relative == Path() else str(relative)


def _identity(folder: Path) -> str:
    return hashlib.sha256(bytes(folder.resolve())).hexdigest()[:32]
