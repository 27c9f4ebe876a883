"""A long run that can be broken off at any point: a folder that keeps what is asked for and what of it is finished.

======================  =============================================================================================
`request.json`          what makes the result: fingerprints of the files, all settings, versions; what came of it
`motion-N.fyemotion`    the motion of each driving, as it was followed
`latents/N-NNNNNN…`     the latents of each finished part of a face's plan, a safetensors file with a checksum
`lock`                  held while a run works in the folder; empty
======================  =============================================================================================

Each file appears when it is whole. The same request goes on with the first part that is not there. How parts are
computed may change in between (device, batch): the frames are then equal within rounding.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from filelock import BaseFileLock
from pydantic import BaseModel, TypeAdapter

from followyouremoji.errors import MotionError, UserError, WeightsError, shown
from followyouremoji.face.motion import Motion
from followyouremoji.files import atomic, clear_stale, lock, make_folder, workspaces
from followyouremoji.reading import read_json, regular_file
from followyouremoji.requests.events import Outcome
from followyouremoji.requests.request import AnimationRequest
from followyouremoji.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 3
REQUEST, MOTION, LATENTS, LOCK = "request.json", "motion-{}.fyemotion", "latents", "lock"
CHECKSUM = "sha256"

Recipe = dict[str, Any]
"""What a result depends on, by names that a user understands; values as JSON holds them."""


class ResumeError(UserError):
    """A resume folder cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__(message, settings=("resume",))


class _Finished(BaseModel):
    """Where and how a result is written, and what came of it."""

    result: dict[str, Any]
    outcome: Outcome


class _Kept(BaseModel):
    """What `request.json` holds."""

    format: int
    recipe: Recipe
    finished: _Finished | None


class ResumeFolder:
    """The folder of one animation, as a context manager: `with ResumeFolder(folder, recipe) as kept`.

    Parameters
    ----------
    folder : is made where there is none; its parent must exist.
    recipe : see `recipe`.

    Raises
    ------
    ResumeError : on entering, where the folder holds something else, another request, or a damaged one, another run
        works in it, or it cannot be written. Later, where a file of it cannot be written or read.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self._recipe: Recipe = json.loads(json.dumps(recipe))
        self._finished: _Finished | None = None
        self._lock: BaseFileLock | None = None

    def __enter__(self) -> Self:
        try:
            self._check_folder()
            self.folder.mkdir(exist_ok=True)
            self._lock = lock(self.folder / LOCK)
            if self._lock is None:
                raise ResumeError(f"another run works in {self.folder}; wait for it or end it")
            make_folder(self.folder / LATENTS)
            for folder in (self.folder, self.folder / LATENTS):
                clear_stale(folder)
        except OSError as reason:
            self.__exit__()
            raise _failure(self.folder, reason) from reason
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

    def finish(self, result: Mapping[str, Any], outcome: Outcome) -> None:
        """Note where and how the result is written; later runs find it by `outcome`."""
        self._finished = _Finished(result=dict(result), outcome=outcome)
        self._write_request()

    def outcome(self, result: Mapping[str, Any]) -> Outcome | None:
        """What came of the same request with the same `result`; None where nothing has yet."""
        if self._finished is None or self._finished.result != result:
            return None
        return self._finished.outcome.model_copy(update={"made_before": True})

    def motion(self, number: int = 1) -> Motion | None:
        """The motion that was kept of a driving; None where there is none yet."""
        path = self.folder / MOTION.format(number)
        if not path.exists():
            return None
        try:
            return Motion.load(path)
        except MotionError as reason:
            raise ResumeError(
                f"{path} is damaged, so nothing can go on from it; delete {self.folder} and begin anew"
            ) from reason

    def keep_motion(self, motion: Motion, number: int = 1) -> Motion:
        """Keep a driving's motion; returns it as later runs will read it."""
        path = self.folder / MOTION.format(number)
        try:
            motion.save(path, overwrite=True)
        except MotionError as reason:
            raise _failure(path, reason.__cause__ or reason) from reason
        return Motion.load(path)

    def latents(self, face: int = 1) -> KeptLatents:
        """Those of a face, by its number in the portrait."""
        return KeptLatents(self.folder / LATENTS, face, self._recipe)

    def _check_folder(self) -> None:
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise ResumeError(f"{folder} is a file; give a folder to keep the work in")
        if not folder.exists() and not folder.parent.is_dir():
            raise ResumeError(f"cannot make {folder}: there is no folder {folder.parent}; make it first")
        if folder.is_dir() and not (folder / REQUEST).exists():
            ours = {LOCK, LATENTS, *(one.name for one in workspaces(folder))}
            for other in folder.iterdir():
                if other.name not in ours:
                    raise ResumeError(
                        f"{folder} holds {other.name} and no kept work; give a new or an empty folder"
                    )

    def _begin_or_go_on(self) -> None:
        path = self.folder / REQUEST
        if not path.exists():
            self._write_request()
            return
        try:
            values = read_json(path)
            known = values["format"] == FORMAT
            kept = _Kept(**values) if known else None
        except (OSError, ValueError, KeyError) as reason:
            raise ResumeError(f"{path} is damaged; delete {self.folder} and begin anew") from reason
        if kept is None:
            raise ResumeError(
                f"{path} is of another version of this program; delete {self.folder} and begin anew"
            )
        different = differences(kept.recipe, self._recipe)
        if different and not self._keeps_anything():
            self._write_request()  # what it was begun with was refused, perhaps
            return
        if different:
            raise ResumeError(
                f"{self.folder} keeps the work of another request: {'; '.join(different)}. Ask for what it was begun with, or give "
                "another folder"
            )
        self._finished = kept.finished

    def _keeps_anything(self) -> bool:
        return any(self.folder.glob(MOTION.format("*"))) or any((self.folder / LATENTS).iterdir())

    def _write_request(self) -> None:
        kept = _Kept(format=FORMAT, recipe=self._recipe, finished=self._finished)
        _write(self.folder / REQUEST, json.dumps(kept.model_dump(mode="json"), indent=1).encode())


class KeptLatents:
    """The latents of one face in a resume folder: a `sampling.sampler.LatentStore`.

    The checksum of each is of its values, its place and the folder's `recipe`: those of another part, face or job are
    none of its own.
    """

    def __init__(self, folder: Path, face: int, recipe: Recipe) -> None:
        self._folder, self._face = folder, face
        self._recipe = json.dumps(recipe, sort_keys=True)

    def load(self, number: int) -> Tensor | None:
        """See `LatentStore`; None, too, where the file is damaged: its part is made anew."""
        from followyouremoji.checkpoints.tensors import open_tensors  # torch

        with suppress(WeightsError), open_tensors(self._path(number)) as file:
            latents: Tensor = file.get_tensor(LATENTS)
            if (file.metadata() or {}).get(CHECKSUM) == self._checksum(number, latents):
                return latents
        return None

    def save(self, number: int, latents: Tensor) -> None:
        """See `LatentStore`."""
        from safetensors.torch import save

        latents = latents.detach().cpu().contiguous()
        _write(self._path(number), save({LATENTS: latents}, {CHECKSUM: self._checksum(number, latents)}))

    def _checksum(self, number: int, latents: Tensor) -> str:
        told = f"{self._recipe} {self._face} {number} {tuple(latents.shape)}"
        return hashlib.sha256(told.encode() + latents.numpy().tobytes()).hexdigest()

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._face}-{number:06d}.safetensors"


def _write(path: Path, data: bytes) -> None:
    try:
        with atomic(path) as temporary:
            temporary.write_bytes(data)
    except OSError as reason:
        raise _failure(path, reason) from reason


def _failure(path: Path, reason: BaseException) -> ResumeError:
    words = getattr(reason, "strerror", None) or str(reason)
    return ResumeError(
        f"cannot write {path}: {words}; see that the disc has room and the folder may be written to. The same request then goes "
        "on from here"
    )


HOW = {"device", "offload", "compiled", "batch"}
"""How the same is computed, equal within rounding."""


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file, or of the names and contents of the files in a folder. Raises UserError."""
    digest = hashlib.sha256()
    try:
        for file in sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]:
            if path.is_dir():
                digest.update(file.relative_to(path).as_posix().encode())
            with regular_file(file) as content:
                hashlib.file_digest(content, lambda: digest)  # goes on with the digest of the files before
    except OSError as reason:
        raise UserError(f"cannot read {path}: {reason.strerror}") from reason
    return digest.hexdigest()


def recipe(
    request: AnimationRequest,
    portrait: Path,
    drivings: Sequence[Path | Motion],
    weights: Path,
    scaled: str | None,
    fingerprint: Callable[[Path], str] = fingerprint,
) -> Recipe:
    """What the frames depend on.

    `drivings` are those of the faces in turn, `weights` is the checkpoint's folder, whose small files hold the
    checksums of the large ones, and `scaled` the size that the portrait is scaled to. Raises UserError for a file that
    cannot be read.
    """
    from followyouremoji.checkpoints.decoders import find_decoder  # torch

    decoder = find_decoder(request.model.decoder)
    asked = TypeAdapter(AnimationRequest).dump_python(request, mode="json")
    groups = [asked[group] for group in ("model", "clip", "alignment", "settings")]
    settings = {name: value for group in groups for name, value in group.items()}
    return {
        "portrait": fingerprint(portrait),
        "driving": [
            fingerprint(driving) if isinstance(driving, Path) else _checksum_of_motion(driving)
            for driving in drivings
        ],
        "faces": ", ".join(str(choice.face) for choice in request.faces) or None,
        "weights": [[path.name, fingerprint(path)] for path in sorted(weights.glob("*.json"))],
        "decoder": None if decoder is None else fingerprint(decoder),
        "LoRA": [[fingerprint(lora.file), lora.scale] for lora in request.loras],
        "points": None if request.points is None else fingerprint(request.points),
        "size of the portrait": scaled,
        **{name: value for name, value in settings.items() if name not in HOW | {"weights", "decoder"}},
        "version": __version__,
    }


FILES = ("portrait", "driving", "weights", "decoder", "LoRA", "points", "certificate")


def differences(kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """In a user's words, what of two recipes differs."""

    def words(recipe: Mapping[str, Any], name: str) -> object:
        return "not given" if recipe.get(name) is None else shown(str(recipe[name]))

    return [
        f"another {name}"
        if name in FILES
        else f"{shown(name)} was {words(kept, name)}, now {words(wanted, name)}"
        for name in dict.fromkeys((*kept, *wanted))
        if kept.get(name) != wanted.get(name)
    ]


def _checksum_of_motion(motion: Motion) -> str:
    digest = hashlib.sha256(f"{motion.frame_rate} {motion.size}".encode())
    for array in (motion.timestamps, motion.landmarks, motion.rest):
        digest.update(b"" if array is None else array.tobytes())
    return digest.hexdigest()
