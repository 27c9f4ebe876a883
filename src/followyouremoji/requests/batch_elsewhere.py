"""The folder of a batch's results at an address elsewhere, such as `s3://bucket/out`.

Results are written on this machine and then delivered. Notes of what they were made of lie beside them, as in a
`BatchFolder`; motions that were followed are kept on each machine. Nothing there can be locked: two batches to one
address at once make the same results twice, and whole ones.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Self

from followyouremoji.cache import cache_folder
from followyouremoji.requests.batch_folder import FORMAT, HIDDEN, RESULTS, BatchFolder
from followyouremoji.requests.events import Outcome
from followyouremoji.requests.resume import Recipe
from followyouremoji.storage import address_of, deliver, is_there, read, write


def open_folder(path: Path) -> BatchFolder:
    """The folder of results at a path or an address."""
    address = address_of(path)
    return BatchFolder(path) if address is None else BatchElsewhere(address)


class BatchElsewhere(BatchFolder):
    """As `BatchFolder`; `path` is a folder of this machine. Raises StorageError, too."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        place = cache_folder() / "batches" / hashlib.sha256(self._address.encode()).hexdigest()[:16]
        super().__init__(place)
        self._undelivered: dict[str, bytes] = {}  # notes of results that take the place of others

    def __enter__(self) -> Self:
        self.join()
        return super().__enter__()

    def join(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._make()
        except OSError as reason:
            raise self._failure(reason) from reason

    def named(self, path: Path) -> Path:
        return Path(f"{self._address}/{path.name}")

    def is_taken(self, file: str) -> bool:
        return is_there(f"{self._address}/{file}")

    def begin(self, file: str) -> None:
        """Remove what a run before made and could not deliver."""
        path = self.path / file
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def deliver(self, file: str) -> None:
        deliver(self.path / file, f"{self._address}/{file}")
        if (note := self._undelivered.pop(file, None)) is not None:
            write(self._note_address(file), note)
        self.begin(file)

    def note_made(self, file: str, recipe: Recipe, outcome: Outcome) -> None:
        there = outcome.model_copy(update={"path": self.named(outcome.path)})
        kept = {"format": FORMAT, "recipe": recipe, "outcome": there.model_dump(mode="json")}
        note = json.dumps(kept, indent=1).encode()
        if self.is_taken(file):  # which is an earlier result until the delivery
            self._undelivered[file] = note
        else:
            write(self._note_address(file), note)

    def _note(self, file: str) -> bytes:
        return read(self._note_address(file)) or b""

    def _note_address(self, file: str) -> str:
        return f"{self._address}/{HIDDEN}/{RESULTS}/{file}.json"
