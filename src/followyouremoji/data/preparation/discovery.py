"""Finding clips in a folder, however it is laid out: videos at any depth (HDTF, and most own collections), and folders
of numbered pictures (VFHQ). A clip found is one unit of work."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from followyouremoji.errors import ClipError, DataError, PictureError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.kinds import VIDEO_ENDINGS
from followyouremoji.media.pictures import read_picture
from followyouremoji.media.timing import resample

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

LEAST_PICTURES = 8
"""A folder of fewer numbered pictures is not taken for a clip."""

FOLDER_FRAME_RATE = 25.0
"""Frames a second of a folder of pictures, which does not say."""

LONGEST_SLUG = 72
"""Characters: names of frames, with more after it, must fit the 100 bytes of a tar file's header."""

_NUMBERED = re.compile(r"(\d+)$")


@dataclass(frozen=True)
class Unit:
    """One clip to prepare, as one piece of work.

    Attributes
    ----------
    name : names the unit in files and keys: letters, digits and dashes, unique in its source folder
    source : path within the source folder, with forward slashes
    path : where it lies
    stamp : bytes and time of change, zeros where it cannot be reached; a unit whose stamp has changed is another clip
    """

    name: str
    source: str
    path: Path
    stamp: tuple[int, int]


def find_units(folder: Path, leave_out: Path | None = None) -> list[Unit]:
    """Every clip below `folder`, in the order of its paths; or the one clip that `folder` is. Links are followed.

    Parameters
    ----------
    leave_out : a folder below that is not looked into, the output of a preparation.

    Raises
    ------
    DataError : there is no such folder, or no clip in it.
    """
    if folder.is_file():
        return [_unit(folder.parent, folder)]
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder} to take clips from.")
    skipped = None if leave_out is None else leave_out.resolve()
    found = sorted(_clips_below(folder, skipped), key=lambda path: path.relative_to(folder).as_posix())
    if not found:
        raise DataError(
            f"No clip was found in {folder}: neither a video ({', '.join(VIDEO_ENDINGS[:5])}, ...) nor a folder of at least "
            f"{LEAST_PICTURES} numbered pictures."
        )
    return [_unit(folder, path) for path in found]


def _clips_below(folder: Path, skipped: Path | None) -> Iterator[Path]:
    seen = {skipped}
    # Linked folders wait until all others are seen: a clip is named by where it lies, however many links lead there.
    waiting = deque([folder])
    while waiting:
        for parent, folders, names in os.walk(waiting.popleft()):
            here = Path(parent)
            place = here.resolve()
            if place in seen:
                folders.clear()
                continue
            seen.add(place)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            waiting.extend(here / name for name in folders if (here / name).is_symlink())
            yield from (here / name for name in names if _is_video(name))
            if sum(_number(name) is not None for name in names) >= LEAST_PICTURES:
                yield here


def _is_video(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in VIDEO_ENDINGS


def _number(name: str) -> int | None:
    """The number of a frame's file name; None for what is no frame."""
    path = Path(name)
    if name.startswith(".") or path.suffix.lower() not in PICTURE_ENDINGS:
        return None
    found = _NUMBERED.search(path.stem)
    return int(found.group(1)) if found else None


def _unit(folder: Path, path: Path) -> Unit:
    source = path.relative_to(folder).as_posix()
    try:
        status = path.stat()
        is_folder = stat.S_ISDIR(status.st_mode)
        stamp = (0 if is_folder else status.st_size, status.st_mtime_ns)
    except OSError:  # such as a link to nothing: reported where the file is read
        is_folder, stamp = False, (0, 0)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", source if is_folder else source.rsplit(".", 1)[0]).strip("-")
    # Two sources may differ in what a slug leaves out; the digest of the whole path tells them apart.
    digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return Unit(f"{slug[-LONGEST_SLUG:].strip('-') or 'clip'}-{digest}", source, path, stamp)


class Pictures:
    """A folder of numbered pictures as a clip; the part of `ClipReader` that a preparation uses.

    Frames come in the order of their numbers, `FOLDER_FRAME_RATE` a second or resampled to `frame_rate`. They end
    before the first that cannot be read or is of another size than the first; `damage` then says so.

    Raises
    ------
    ClipError : the first picture cannot be read.
    """

    def __init__(self, folder: Path, frame_rate: float | None = None) -> None:
        self.frame_rate = frame_rate or FOLDER_FRAME_RATE
        numbered = [
            (number, path)
            for path in folder.iterdir()
            if not path.is_dir() and (number := _number(path.name)) is not None
        ]
        self._paths = [path for _, path in sorted(numbered, key=lambda entry: (entry[0], entry[1].name))]
        try:
            self._shape = read_picture(self._paths[0]).shape
        except PictureError as reason:
            raise ClipError(str(reason)) from reason
        self.damage: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is open."""

    def __iter__(self) -> Iterator[tuple[float, np.ndarray]]:
        return resample(self._frames(), self.frame_rate)

    def _frames(self) -> Iterator[tuple[float, float, np.ndarray]]:
        self.damage = None
        for index, path in enumerate(self._paths):
            try:
                picture = read_picture(path)
            except PictureError as reason:
                self.damage = str(reason)
                return
            if picture.shape != self._shape:
                self.damage = f"{path} is of another size than the first picture"
                return
            yield index / FOLDER_FRAME_RATE, 1.0 / FOLDER_FRAME_RATE, picture


def open_unit(path: Path, frame_rate: float | None) -> tuple[ClipReader | Pictures, float]:
    """A clip to iterate as often as needed, and its frames a second.

    Raises
    ------
    ClipError : nothing of the clip can be read.
    """
    if path.is_dir():
        pictures = Pictures(path, frame_rate)
        return pictures, pictures.frame_rate
    clip = ClipReader(path, frame_rate=frame_rate)
    return clip, frame_rate or clip.info.frame_rate
