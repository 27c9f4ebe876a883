"""The folder of a batch's results, with a hidden one in it that says what each was made of, so that a run goes on.

===========================  ========================================================================================
`results/FILE.json`          the recipe of the result FILE (see `resume.recipe`), and its outcome
`motions/KEY.fyemotion`      the driving's motions, as they were followed; until the batch is made
`lock`                       held while a run works in the folder; empty
===========================  ========================================================================================

Each file appears when it is whole, and so do the results.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Self

from filelock import BaseFileLock

from followyouremoji.errors import MotionError
from followyouremoji.face.motion import Motion
from followyouremoji.files import clear_stale, is_taken, lock, make_folder, write_json
from followyouremoji.reading import MOST_JSON, json_object, read_bytes
from followyouremoji.requests.events import Outcome
from followyouremoji.requests.pairs import BatchError
from followyouremoji.requests.resume import Recipe

HIDDEN, RESULTS, MOTIONS, LOCK = ".batch", "results", "motions", "lock"
FORMAT = 1


class BatchFolder:
    """As a context manager: `with BatchFolder(path) as folder`.

    Raises
    ------
    BatchError : on entering, where the folder cannot be made or written, or another run works in it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._hidden = path, path / HIDDEN
        self._lock: BaseFileLock | None = None

    def __enter__(self) -> Self:
        path = self.path
        if path.exists() and not path.is_dir():
            raise BatchError(f"{path} is a file; give a folder for the results", settings=("path",))
        if not path.exists() and not path.parent.is_dir():
            raise BatchError(
                f"cannot make {path}: there is no folder {path.parent}; make it first", settings=("path",)
            )
        try:
            path.mkdir(exist_ok=True)
            make_folder(self._hidden)
            self._lock = lock(self._hidden / LOCK)
            if self._lock is None:
                raise BatchError(f"another batch is being made in {path}; wait for it or end it")
            self.make()
            for name in (RESULTS, MOTIONS):
                clear_stale(self._hidden / name)
            clear_stale(path)
        except OSError as reason:
            self.__exit__()
            raise self._failure(reason) from reason
        return self

    def __exit__(self, *reason: object) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
            if not any(path.is_file() for name in (RESULTS, MOTIONS) for path in self._kept(name)):
                shutil.rmtree(self._hidden, ignore_errors=True)
                with suppress(OSError):  # somebody's files lie in it
                    self.path.rmdir()

    def make(self) -> None:
        """Make the folders; for a worker, which enters none of them. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        for name in ("", RESULTS, MOTIONS):
            make_folder(self._hidden / name)

    def is_taken(self, file: str) -> bool:
        """Whether there is a result, or anything else, of this name."""
        return is_taken(self.path / file)

    def named(self, path: Path) -> Path:
        """What a user knows the result at `path` by."""
        return path

    def deliver(self, file: str) -> None:
        """Called when the result is written at `path`: it is where it should be."""

    def made(self, file: str) -> tuple[Recipe, Outcome] | None:
        """What a result was made of, and its outcome; None where that is not known."""
        try:
            kept = json_object(self._note(file))
            if kept["format"] == FORMAT:
                return dict(kept["recipe"]), Outcome(**{**kept["outcome"], "made_before": True})
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return None

    def _note(self, file: str) -> bytes:
        return read_bytes(self._hidden / RESULTS / f"{file}.json", MOST_JSON)

    def note_made(self, file: str, recipe: Recipe, outcome: Outcome) -> None:
        """Note what a result is made of."""
        kept = {"format": FORMAT, "recipe": recipe, "outcome": outcome.model_dump(mode="json")}
        try:
            write_json(self._hidden / RESULTS / f"{file}.json", kept)
        except OSError as reason:
            raise self._failure(reason) from reason

    def motion(self, key: object) -> Motion | None:
        """A motion that was kept; None where there is none."""
        with suppress(MotionError):
            return Motion.load(self._motion(key))
        return None

    def keep_motion(self, key: object, motion: Motion) -> Motion:
        """Keep a motion by whatever it depends on; returns it as it will be read. Raises MotionError."""
        motion.save(self._motion(key), overwrite=True)
        return Motion.load(self._motion(key))

    def forget_motions(self) -> None:
        """Remove all motions."""
        for path in self._kept(MOTIONS):
            with suppress(OSError):
                path.unlink()

    def _motion(self, key: object) -> Path:
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        return self._hidden / MOTIONS / f"{name}.fyemotion"

    def _kept(self, name: str) -> list[Path]:
        folder = self._hidden / name
        return list(folder.iterdir()) if folder.is_dir() else []

    def _failure(self, reason: OSError) -> BatchError:
        return BatchError(
            f"cannot write in {self.path}: {reason.strerror or reason}; see that the disc has room and the folder may be written to. The same "
            "command then goes on from here"
        )
