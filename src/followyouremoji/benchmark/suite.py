"""EmojiBench++, the one layout of all suites: a folder of portraits, driving clips and their landmark sequences, with a
manifest that names every file with its checksum, licence and source.

    manifest.json
    portraits/NAME.png  NAME.fyemotion      a square picture, and the landmarks of its face
    clips/NAME.mkv      NAME.fyemotion      a driving clip of squares (lossless, FFV1), and the landmarks of its face
    truth/NAME.mkv      NAME.fyemotion      of a pair, where the true result is known, as it is of drawn portraits

*Self-reenactment*: a pair without a portrait. A system gets the clip's first frame and the clip's motion; the clip
itself is the truth. *Cross-reenactment*: a pair of a portrait and another face's clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, TypeAdapter

from followyouremoji.arrays import ArraysError, read_array
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.config import parse, validated
from followyouremoji.errors import DataError, first_line
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import Motion
from followyouremoji.files import checksum
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import read_picture, resize_picture
from followyouremoji.reading import MOST_JSON, inside, read_bytes

MANIFEST = "manifest.json"
Mode = Literal["self", "cross"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


@validated
class SuiteFile:
    """A file of a suite."""

    path: str
    """Relative to the manifest, with forward slashes."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @classmethod
    def of(cls, path: Path, suite: Path) -> SuiteFile:
        """A file that lies in the folder of a suite."""
        return cls(path=path.relative_to(suite).as_posix(), sha256=checksum(path))


@validated
class Footage:
    """A clip of squares, and what is known of its face, frame by frame."""

    clip: SuiteFile
    motion: SuiteFile
    """Landmarks, a motion file of as many frames."""
    gaze: SuiteFile | None = None
    """Where it is known exactly: NumPy float32 (T, 2, 2), degrees of the right and the left eye relative to the head,
    horizontal (positive to the picture's right) and vertical (positive up); NaN where the eye is closed."""
    frames: Annotated[int, Field(ge=1)]
    frame_rate: Annotated[float, Field(gt=0, le=1000)]

    @property
    def files(self) -> tuple[SuiteFile, ...]:
        return (self.clip, self.motion, *([self.gaze] if self.gaze else []))


@validated
class PortraitItem:
    """A portrait: a square picture with one face."""

    name: Name
    style: str
    """Such as "person", "painting", "animal": what tables are split by."""
    picture: SuiteFile
    landmarks: SuiteFile
    """A motion file of one frame."""
    licence: str
    source: str
    """Where the picture comes from."""


@validated
class ClipItem:
    """A driving clip of one face."""

    name: Name
    expression: str
    """What it shows, such as "smile", "talk", "glances": what tables are split by."""
    style: str = "person"
    footage: Footage
    rest: Annotated[int, Field(ge=0)] | None = None
    """Number of a frame in which the face is relaxed, where that is known; others are measured from it."""
    licence: str
    source: str


@validated
class PairItem:
    """What a system animates."""

    name: Name
    clip: Name
    portrait: Name | None = None
    """None for self-reenactment: the clip's first frame."""
    truth: Footage | None = None
    """Of a cross-reenactment, where it is known: for as many frames as the clip has, or for its first."""


@validated
class Manifest:
    """What a suite holds. Raises SettingsError for duplicate names and pairs of unknown items."""

    format: Literal["EmojiBench++"] = "EmojiBench++"
    version: Literal[1] = 1
    name: str
    about: str
    """How the suite was made, in a sentence."""
    size: Annotated[int, Field(ge=64, le=4096)]
    """Pixels a side of its pictures and clips."""
    portraits: list[PortraitItem]
    clips: list[ClipItem]
    pairs: list[PairItem]

    def __post_init__(self) -> None:
        for what, items in (("portrait", self.portraits), ("clip", self.clips), ("pair", self.pairs)):
            counts = Counter(item.name.lower() for item in items)  # many file systems tell no small letters
            if double := [item.name for item in items if counts[item.name.lower()] > 1]:
                raise ValueError(f"two {what}s are called {double[0]}")
        portraits, clips = {item.name for item in self.portraits}, {item.name for item in self.clips}
        for pair in self.pairs:
            if pair.clip not in clips:
                raise ValueError(f"the pair {pair.name} names a clip {pair.clip} that is not in the suite")
            if pair.portrait is not None and pair.portrait not in portraits:
                raise ValueError(
                    f"the pair {pair.name} names a portrait {pair.portrait} that is not in the suite"
                )

    def to_json(self) -> str:
        return TypeAdapter(Manifest).dump_json(self, indent=1).decode() + "\n"

    def files(self) -> Iterator[SuiteFile]:
        """Every file that the manifest names."""
        for portrait in self.portraits:
            yield from (portrait.picture, portrait.landmarks)
        for footage in (*(clip.footage for clip in self.clips), *(pair.truth for pair in self.pairs)):
            if footage is not None:
                yield from footage.files


@dataclass(frozen=True)
class Case:
    """One pair as a system gets it, in pixels of the protocol's size S. Files are read when they are first asked for.

    Attributes
    ----------
    style : of the portrait; of self-reenactment, of the clip.
    frames : T, how many are made and measured.
    """

    suite: Path
    protocol: Protocol
    pair: PairItem
    clip: ClipItem
    portrait_item: PortraitItem | None

    @property
    def name(self) -> str:
        return self.pair.name

    @property
    def mode(self) -> Mode:
        return "self" if self.portrait_item is None else "cross"

    @property
    def style(self) -> str:
        return (self.portrait_item or self.clip).style

    @property
    def expression(self) -> str:
        return self.clip.expression

    @property
    def frames(self) -> int:
        known = (self.clip.footage, self.pair.truth or self.clip.footage)
        return min(self.protocol.frames, *(footage.frames for footage in known))

    @property
    def size(self) -> int:
        return self.protocol.size

    @cached_property
    def portrait(self) -> np.ndarray:
        """uint8 (S, S, 3)."""
        if self.portrait_item is None:
            return self.driving[0]
        picture = read_picture(self._path(self.portrait_item.picture))
        return resize_picture(picture, (self.size, self.size))

    @cached_property
    def portrait_landmarks(self) -> Landmarks:
        """Of the portrait's face."""
        if self.portrait_item is None:
            normalised = self.motion.landmarks[0]
        else:
            normalised = Motion.load(self._path(self.portrait_item.landmarks)).landmarks[0]
        return Landmarks(normalised, (self.size, self.size))

    @cached_property
    def motion(self) -> Motion:
        """Of the driving clip, T frames."""
        return self._motion(self.clip.footage)

    @cached_property
    def driving(self) -> np.ndarray:
        """The driving clip, uint8 (T, S, S, 3)."""
        return self._frames(self.clip.footage)

    @property
    def truth(self) -> np.ndarray | None:
        """What the result should be, uint8 (T, S, S, 3); None where nobody knows it."""
        if self.mode == "self":
            return self.driving
        return None if self.pair.truth is None else self._true_frames

    @cached_property
    def truth_motion(self) -> Motion | None:
        """The landmarks of the truth, T frames."""
        if self.mode == "self":
            return self.motion
        return None if self.pair.truth is None else self._motion(self.pair.truth)

    @cached_property
    def truth_gaze(self) -> np.ndarray | None:
        """Where the truth's eyes look, float32 (T, 2, 2), see `Footage.gaze`; None where it is not known exactly."""
        footage = self.clip.footage if self.mode == "self" else self.pair.truth
        if footage is None or footage.gaze is None:
            return None
        path = self._path(footage.gaze)
        try:
            gaze = read_array(path)
        except (OSError, ArraysError) as reason:
            raise DataError(f"{path} of the suite is no array ({first_line(reason)}).") from reason
        if gaze.shape[1:] != (2, 2) or len(gaze) < self.frames or gaze.dtype.kind != "f":
            raise DataError(
                f"{path} of the suite must be 2x2 angles of each of its {self.frames} frames; it is {gaze.shape} of {gaze.dtype}."
            )
        return np.asarray(gaze[: self.frames], np.float32)

    @cached_property
    def _true_frames(self) -> np.ndarray:
        assert self.pair.truth is not None
        return self._frames(self.pair.truth)

    def _path(self, file: SuiteFile) -> Path:
        """Raises DataError where it is not the file that the manifest names: figures are of that suite or of none."""
        path = self.suite / file.path
        try:
            same = checksum(path) == file.sha256
        except OSError as reason:
            raise DataError(f"{path} of the suite cannot be read ({reason.strerror}).") from None
        if not same:
            raise DataError(
                f"{path} was changed since the suite was made: its checksum differs from the manifest's."
            )
        return path

    def _motion(self, footage: Footage) -> Motion:
        motion = Motion.load(self._path(footage.motion))[: self.frames]
        if len(motion) < self.frames:
            raise DataError(f"{self._path(footage.motion)} has {len(motion)} frames; its clip has more.")
        return motion

    def _frames(self, footage: Footage) -> np.ndarray:
        path = self._path(footage.clip)
        with ClipReader(path) as reader:
            frames = [
                resize_picture(picture, (self.size, self.size)) for _, picture in islice(reader, self.frames)
            ]
        if len(frames) < self.frames:
            raise DataError(f"{path} has {len(frames)} frames; the manifest says {footage.frames}.")
        return np.stack(frames)


@dataclass(frozen=True)
class Suite:
    """A suite in its folder."""

    folder: Path
    manifest: Manifest

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises DataError where there is no manifest, or one that cannot be used, as with paths out of its folder."""
        manifest = read_manifest(folder)
        for file in manifest.files():
            check_inside(file.path, folder / MANIFEST)
        return cls(folder, manifest)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the manifest, which names the checksum of every file."""
        return checksum(self.folder / MANIFEST)

    def cases(self, protocol: Protocol, names: Sequence[str] | None = None) -> list[Case]:
        """The pairs, or those of some `names`, in the manifest's order."""
        portraits = {item.name: item for item in self.manifest.portraits}
        clips = {item.name: item for item in self.manifest.clips}
        return [
            Case(
                self.folder,
                protocol,
                pair,
                clips[pair.clip],
                None if pair.portrait is None else portraits[pair.portrait],
            )
            for pair in self.manifest.pairs
            if names is None or pair.name in names
        ]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a suite, whose files are not looked at. Raises DataError where there is none, or one that cannot
    be used."""
    path = folder / MANIFEST
    try:
        text = read_bytes(path, MOST_JSON)
    except (OSError, ValueError) as reason:
        raise DataError(
            f"{folder} is no suite: its {MANIFEST} cannot be read ({first_line(reason)})."
        ) from None
    return parse(Manifest, text, path, DataError)


def check_inside(path: str, manifest: Path) -> None:
    """Raise DataError where a manifest's path leads out of its folder."""
    try:
        inside(manifest.parent, path)
    except ValueError as reason:
        raise DataError(f"{manifest} cannot be used: {reason}.") from None
