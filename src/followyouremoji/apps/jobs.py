"""A long run that can be broken off at any point: a folder that keeps what was asked for and what of it is finished.

======================  =============================================================================================
`job.json`              what makes the result: fingerprints of the files, all settings, versions; where the result is
`motion.fyemotion`      the driving's motion, as it was followed
`latents/NNNNNN…`       the latents of each finished part of the plan, a safetensors file with a checksum
`lock`                  held while a run works in the folder; empty
======================  =============================================================================================

Each file appears when it is whole. The same command goes on with the first part that is not there, and since parts are
functions of the plan and of what they read, the result is that of an unbroken run to the last bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from filelock import BaseFileLock

from followyouremoji.errors import MotionError, UserError
from followyouremoji.face.motion import Motion
from followyouremoji.files import atomic, clear_stale, lock, workspaces
from followyouremoji.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
JOB, MOTION, LATENTS, LOCK = "job.json", "motion.fyemotion", "latents", "lock"
CHECKSUM = "sha256"

Recipe = dict[str, Any]
"""What a result depends on, by names that a user understands; values as JSON holds them."""


class JobError(UserError):
    """A job's folder cannot be used."""


class Job:
    """The folder of one animation, as a context manager: `with Job(folder, recipe) as job`. Also a
    `sampling.sampler.LatentStore`.

    Parameters
    ----------
    folder : is made where there is none; its parent must exist.
    recipe : see `recipe`.

    Raises
    ------
    JobError : on entering, where the folder holds something else, another job, or a damaged one, another run works in
        it, or it cannot be written. Later, where a file of it cannot be written or read.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self._recipe: Recipe = json.loads(json.dumps(recipe))
        self.finished: dict[str, str | bool] | None = None
        self._lock: BaseFileLock | None = None

    def __enter__(self) -> Self:
        try:
            self._check_folder()
            self.folder.mkdir(exist_ok=True)
            self._lock = lock(self.folder / LOCK)
            if self._lock is None:
                raise JobError(f"another run works on the job in {self.folder}; wait for it or end it")
            (self.folder / LATENTS).mkdir(exist_ok=True)
            for folder in (self.folder, self.folder / LATENTS):
                clear_stale(folder)
        except OSError as reason:
            self.__exit__()
            raise self._failure(self.folder, reason) from reason
        try:
            self._begin_or_go_on()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def finish(self, result: Mapping[str, str | bool]) -> None:
        """Note where and how the result is written; later runs find it in `finished`."""
        self.finished = dict(result)
        self._write_job()

    def motion(self) -> Motion | None:
        """The motion that was kept; None where there is none yet."""
        path = self.folder / MOTION
        if not path.exists():
            return None
        try:
            return Motion.load(path)
        except MotionError as reason:
            raise JobError(
                f"{path} is damaged, so the job cannot go on; delete {self.folder} and begin anew"
            ) from reason

    def keep_motion(self, motion: Motion) -> Motion:
        """Keep a motion; returns it as later runs will read it."""
        path = self.folder / MOTION
        try:
            motion.save(path, overwrite=True)
        except MotionError as reason:
            raise self._failure(path, reason.__cause__ or reason) from reason
        return Motion.load(path)

    def load(self, number: int) -> Tensor | None:
        """See `LatentStore`."""
        from safetensors import SafetensorError, safe_open

        path = self._latents(number)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                latents: Tensor = file.get_tensor(LATENTS)
                right = (file.metadata() or {}).get(CHECKSUM) == _checksum(latents)
        except (SafetensorError, OSError):
            right = False
        if not right:
            raise JobError(
                f"{path} is damaged; delete this file and give the command again: its part is made anew"
            )
        return latents

    def save(self, number: int, latents: Tensor) -> None:
        """See `LatentStore`."""
        from safetensors.torch import save

        latents = latents.detach().cpu().contiguous()
        self._write(self._latents(number), save({LATENTS: latents}, {CHECKSUM: _checksum(latents)}))

    def _latents(self, number: int) -> Path:
        return self.folder / LATENTS / f"{number:06d}.safetensors"

    def _check_folder(self) -> None:
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise JobError(f"{folder} is a file; give a folder for the job")
        if not folder.exists() and not folder.parent.is_dir():
            raise JobError(f"cannot make {folder}: there is no folder {folder.parent}; make it first")
        ours = {LOCK, LATENTS}
        if folder.is_dir() and not (folder / JOB).exists():
            left = workspaces(folder)
            others = [one.name for one in folder.iterdir() if one.name not in ours and one not in left]
            if others:
                raise JobError(
                    f"{folder} holds {others[0]} and no job; give a new or an empty folder for the job"
                )

    def _begin_or_go_on(self) -> None:
        path = self.folder / JOB
        if not path.exists():
            self._write_job()
            return
        try:
            kept = json.loads(path.read_text())
            recipe, finished = kept["recipe"], kept["finished"]
            known = kept["format"] == FORMAT and isinstance(recipe, dict)
        except (OSError, ValueError, KeyError, TypeError) as reason:
            raise JobError(f"{path} is damaged; delete {self.folder} and begin anew") from reason
        if not known:
            raise JobError(
                f"{path} is of another version of this program; delete {self.folder} and begin anew"
            )
        different = differences(recipe, self._recipe)
        if different and not self._keeps_anything():
            self._write_job()  # what it was begun with was refused, perhaps
            return
        if different:
            raise JobError(
                f"{self.folder} is the job of another command: {'; '.join(different)}. Give the command that it was begun with, or another "
                "folder"
            )
        self.finished = finished

    def _keeps_anything(self) -> bool:
        return (self.folder / MOTION).exists() or any((self.folder / LATENTS).iterdir())

    def _write_job(self) -> None:
        kept = {"format": FORMAT, "recipe": self._recipe, "finished": self.finished}
        self._write(self.folder / JOB, json.dumps(kept, indent=1).encode())

    def _write(self, path: Path, data: bytes) -> None:
        try:
            with atomic(path) as temporary:
                temporary.write_bytes(data)
        except OSError as reason:
            raise self._failure(path, reason) from reason

    def _failure(self, path: Path, reason: BaseException) -> JobError:
        words = getattr(reason, "strerror", None) or str(reason)
        return JobError(
            f"cannot write {path}: {words}; see that the disc has room and the folder may be written to. The same command then goes on "
            "from here"
        )


def recipe(
    portrait: Path,
    driving: Path,
    weights: Path,
    loras: Sequence[tuple[Path, float]],
    settings: Mapping[str, Any],
) -> Recipe:
    """What a result depends on.

    `weights` is the checkpoint's folder, whose small files hold the checksums of the large ones; `loras` are files with
    their scales; `settings` holds dataclasses and plain values by what a user calls them. Raises JobError for a file
    that cannot be read.
    """
    described: Recipe = {
        "portrait": fingerprint(portrait),
        "driving": fingerprint(driving),
        "weights": [[path.name, fingerprint(path)] for path in sorted(weights.glob("*.json"))],
        "LoRA": [[fingerprint(path), scale] for path, scale in loras],
    }
    for name, value in settings.items():
        if hasattr(value, "__dataclass_fields__"):
            described.update({f"{name} {entry}": inner for entry, inner in asdict(value).items()})
        else:
            described[name] = value
    described = {name: str(value) if isinstance(value, Path) else value for name, value in described.items()}
    return {**described, "version": __version__}


FILES = ("portrait", "driving", "weights", "LoRA")


def differences(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """In a user's words, what of two recipes differs."""
    told = []
    for name in dict.fromkeys((*kept, *wanted)):
        before, now = kept.get(name), wanted.get(name)
        if before != now:
            told.append(
                f"another {name}" if name in FILES else f"{name} was {_said(before)}, now {_said(now)}"
            )
    return told


def _said(value: object) -> str:
    return "not given" if value is None else str(value)


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file, or of the names and contents of the files in a folder. Raises JobError where it cannot be
    read."""
    digest = hashlib.sha256()
    try:
        for file in sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]:
            if path.is_dir():
                digest.update(file.relative_to(path).as_posix().encode())
            with file.open("rb") as content:
                hashlib.file_digest(content, lambda: digest)  # goes on with the digest of the files before
    except OSError as reason:
        raise JobError(f"cannot read {path}: {reason.strerror}") from reason
    return digest.hexdigest()


def _checksum(latents: Tensor) -> str:
    return hashlib.sha256(str(tuple(latents.shape)).encode() + latents.numpy().tobytes()).hexdigest()
