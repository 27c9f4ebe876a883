"""Training pictures: drawn portraits, drawn once into a folder of plain arrays and read from there by memory map.

A folder holds `pictures.npy` (identities, pictures, size, size, 3) uint8, `points.npy` (identities, pictures, 478, 2)
float32 in pixels, `drawings.json` with how it was drawn, and, once an autoencoder has read it, `latents.npy`
(identities, pictures, channels, size / 8, size / 8) float16 and `encoder.json` with that encoder's fingerprint. Picture
0 of an identity is any performance; in a folder of clips the others are successive frames.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from pydantic import NonNegativeInt, PositiveInt

from followyouremoji.arrays import mapped_array
from followyouremoji.config import parse, validated
from followyouremoji.errors import DataError, SettingsError
from followyouremoji.executors import Executor, WorkerLost
from followyouremoji.files import write_json
from followyouremoji.portraits import Performance, expressive_motion, random_identity, speech
from followyouremoji.reading import read_bytes

DESCRIPTION, PICTURES, POINTS, LATENTS = "drawings.json", "pictures.npy", "points.npy", "latents.npy"
N_POINTS = 478
MOST_BYTES = 1 << 16  # of the description
UNRESERVED = (errno.EOPNOTSUPP, errno.EINVAL)  # from file systems that cannot reserve room
CLIP_FRAME_RATES = (8.0, 25.0)  # keyframes far apart and close to each other are both seen in training
AGAIN = "delete the folder and draw it again with `fye train draw`."
ENCODE_AGAIN = "delete it, and encode the drawings again with `fye train latents`."


@validated
class DrawingSettings:
    """What to draw."""

    identities: PositiveInt
    """People."""
    pictures: PositiveInt
    """Pictures of each."""
    size: PositiveInt = 128
    """Side of the pictures, pixels."""
    seed: NonNegativeInt = 0
    """The same seed draws the same people."""
    clips: bool = False
    """Draw successive frames instead of single performances."""


def performances(rng: np.random.Generator, settings: DrawingSettings) -> list[Performance]:
    """The performances of one identity; with clips, one random performance and then a motion."""
    if not settings.clips:
        return [Performance.random(rng) for _ in range(settings.pictures)]
    frame_rate = float(rng.uniform(*CLIP_FRAME_RATES))
    talks, frames = rng.random() < 0.4, settings.pictures - 1
    first = Performance.random(rng)
    motion = speech(rng, frames, frame_rate) if talks else expressive_motion(rng, frames, frame_rate)
    return [first, *motion]


def draw_identity(settings: DrawingSettings, index: int) -> tuple[np.ndarray, np.ndarray]:
    """All pictures (pictures, size, size, 3) and points (pictures, 478, 2) of identity `index`: a pure function of seed
    and index."""
    rng = np.random.default_rng((settings.seed, index))
    from followyouremoji.portraits import draw_portrait  # needs skia, which training on clips does not

    identity = random_identity(rng)
    drawn = [
        draw_portrait(identity, performance, settings.size) for performance in performances(rng, settings)
    ]
    return np.stack([d.picture for d in drawn]), np.stack([d.points for d in drawn]).astype(np.float32)


def _draw_into(index: int, folder: Path, settings: DrawingSettings) -> None:
    pictures = np.load(folder / PICTURES, mmap_mode="r+", allow_pickle=False)
    points = np.load(folder / POINTS, mmap_mode="r+", allow_pickle=False)
    pictures[index], points[index] = draw_identity(settings, index)


def draw_folder(
    folder: Path,
    settings: DrawingSettings,
    executor: Executor,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> None:
    """Draw everything into `folder`; does nothing when it already holds the same drawings, and refuses to mix different
    ones. `progress` is called with how many people are drawn, and of how many.

    Raises SettingsError for other drawings there, DataError where a process was killed or `drawings.json` is damaged,
    and OSError where the disk has too little room. Then no half-drawn arrays stay.
    """
    if (folder / DESCRIPTION).exists():
        if read_settings(folder) == settings:
            return
        raise SettingsError(f"{folder} holds other drawings; name another folder or delete it.")
    folder.mkdir(parents=True, exist_ok=True)
    shape = (settings.identities, settings.pictures)
    try:
        new_array(folder / PICTURES, np.uint8, (*shape, settings.size, settings.size, 3))
        new_array(folder / POINTS, np.float32, (*shape, N_POINTS, 2))
        draw = partial(_draw_into, folder=folder, settings=settings)
        for done, outcome in enumerate(executor.map(draw, range(settings.identities)), 1):
            outcome.result()
            progress(done, settings.identities)
    except BaseException as error:
        for name in (PICTURES, POINTS):
            (folder / name).unlink(missing_ok=True)
        if isinstance(error, WorkerLost):
            raise DataError(
                f"The drawings were not finished: {error}. Draw with fewer processes at once."
            ) from error
        raise
    write_json(folder / DESCRIPTION, asdict(settings))


def new_array(file: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> np.memmap:
    """A new array file of zeros, mapped for writing, its room on the disk reserved: a full one would kill the process
    that writes to the map.

    Raises OSError where there is too little room.
    """
    array = open_memmap(file, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):
        try:
            with file.open("r+b") as opened:
                os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
        except OSError as error:
            if error.errno not in UNRESERVED:
                raise OSError(error.errno, error.strerror, str(file)) from error
    return array


def read_settings(folder: Path) -> DrawingSettings:
    """How a folder was drawn. Raises SettingsError where it holds no finished drawings, DataError where its
    `drawings.json` is damaged."""
    file = folder / DESCRIPTION
    if not file.exists():
        raise SettingsError(f"{folder} holds no finished drawings; make them with `fye train draw`.")
    damaged = DataError(f"{file} is damaged: {AGAIN}")
    try:
        return parse(DrawingSettings, read_bytes(file, MOST_BYTES), file, lambda words: damaged)
    except (OSError, ValueError) as error:
        raise damaged from error


def mapped(file: Path, dtype: type[np.generic], shape: tuple[int | None, ...], mend: str) -> np.ndarray:
    """An array file, mapped for reading; None in `shape` is any length. Raises DataError where it is missing, damaged
    or of another type or shape."""
    try:
        array = mapped_array(file)
        lengths = zip(array.shape, shape, strict=True)
        if array.dtype != dtype or any(expected not in (None, length) for length, expected in lengths):
            raise ValueError(f"{array.dtype} of {array.shape}, not {dtype} of {shape}")
    except (OSError, ValueError) as error:
        raise DataError(f"{file} is missing or damaged: {mend}") from error
    return array


@dataclass(frozen=True)
class Drawings:
    """A folder of drawings, memory-mapped. `latents` is None until an autoencoder has read the folder.

    `open` raises SettingsError where the folder holds no finished drawings, DataError where one of its files is missing
    or damaged.
    """

    pictures: np.ndarray
    points: np.ndarray
    latents: np.ndarray | None

    @classmethod
    def open(cls, folder: Path) -> Drawings:
        settings = read_settings(folder)
        shape, side = (settings.identities, settings.pictures), settings.size
        latents = folder / LATENTS
        return cls(
            mapped(folder / PICTURES, np.uint8, (*shape, side, side, 3), AGAIN),
            mapped(folder / POINTS, np.float32, (*shape, N_POINTS, 2), AGAIN),
            mapped(latents, np.float16, (*shape, None, side // 8, side // 8), ENCODE_AGAIN)
            if latents.exists()
            else None,
        )

    def __len__(self) -> int:
        return len(self.pictures)
