"""Motion: the landmarks of one face over time, as a value and as a file.

The ``.fyemotion`` file
-----------------------
A zip archive as `numpy.savez_compressed` writes it, readable without pickle. Version 1 holds

- ``header``: a JSON text: ``{"format": "followyouremoji-motion", "version": 1, "frame_rate", "size", "source"}``,
  and ``"quarter_turns"`` where a clip lay on its side;
- ``timestamps``: float64 ``(T,)`` seconds; ``found``: bool ``(T,)``; ``blendshapes``, if known: float32 ``(T, 52)``;
- ``rest``, if known: float32 ``(478, 3)``, the landmarks of the relaxed face that the motion is measured from. Programs
  that do not know this entry leave it out of account;
- ``landmarks``: uint8 ``(4, 478, 3, T)``. The float32 landmarks are read as 32-bit integers, replaced by their
  differences from frame to frame (wrapping around), zigzag-coded ``(d << 1) ^ (d >> 31)`` and split into byte planes,
  lowest byte first. Nothing is lost, and the file is about 0.6 times as large as compressed floats.
"""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.arrays import ArraysError, TooLarge, read_arrays
from followyouremoji.files import write_arrays
from followyouremoji.reading import json_object

from ..errors import MotionError, first_line, shown
from .geometry import blocks
from .released_motion import read_released_frames
from .smoothing import smooth_landmarks
from .topology import (
    LEFT_EYE_CORNERS,
    N_LANDMARKS,
    N_MESH,
    OUTER_EYE_CORNERS,
    RIGHT_EYE_CORNERS,
    rigid_weights,
)

MOTION_ENDING = ".fyemotion"
RELEASED_ENDING = ".npy"
RELEASED_RATE = 30.0  # frames a second
MOTION_ENDINGS = (MOTION_ENDING, RELEASED_ENDING)
"""Names of files that `Motion.read` takes end so."""

FORMAT = "followyouremoji-motion"
VERSION = 1
ENTRIES = {
    "header": "|u1",
    "timestamps": "<f8",
    "found": "|b1",
    "landmarks": "|u1",
    "blendshapes": "<f4",
    "rest": "<f4",
}
"""Types of a file's arrays."""
MOST_HEADER = 1 << 16  # bytes

FURTHEST = 10.0
"""Largest size of a normalised coordinate, in widths and heights of the picture."""

LEAST_FACE = 1e-3
"""Least longer side of the box around a face's steady points, normalised."""

EYE_CORNERS = np.array([OUTER_EYE_CORNERS, RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS])
LEAST_EYE = 1e-6
"""Least distance between these landmarks, normalised."""

FRAME_RATES = (0.1, 1000.0)
MOST_PIXELS = 100_000_000
MOST_OBLONG = 100  # longer side over shorter side
MOST_WAITING, FREE_SECONDS = 2.0, 60.0
"""A motion may last so many times as long as its frames at its rate, and so many seconds more: some may be missing."""


@dataclass(frozen=True, eq=False)
class Motion:
    """The landmarks of one face over time.

    Attributes
    ----------
    landmarks : ``(T, 478, 3)`` float32, normalised as in `Landmarks`
    timestamps : ``(T,)`` float64 seconds, rising
    frame_rate : frames a second
    size : (width, height) in pixels of the pictures that the landmarks were found in
    source : name of the clip or file, for messages
    found : ``(T,)`` bool, False where a pose was filled in for a frame without a face
    blendshapes : ``(T, 52)`` float32 scores in [0, 1] in MediaPipe's order (first `_neutral`), or None
    quarter_turns : of the clip's pictures, counter-clockwise, that brought its face upright; all else is of the turned
        pictures
    rest : ``(478, 3)`` float32, normalised: the same face relaxed, which alignment measures the motion from; None where
        only the frames can tell
    """

    landmarks: np.ndarray
    timestamps: np.ndarray
    frame_rate: float
    size: tuple[int, int]
    source: str
    found: np.ndarray
    blendshapes: np.ndarray | None = None
    quarter_turns: int = 0
    rest: np.ndarray | None = None

    def __post_init__(self) -> None:
        frames = len(self.landmarks)
        if frames == 0:
            raise self._unusable("holds no frame.")
        shapes_agree = (
            self.landmarks.shape == (frames, N_LANDMARKS, 3)
            and self.timestamps.shape == (frames,)
            and self.found.shape == (frames,)
            and (self.blendshapes is None or self.blendshapes.shape == (frames, 52))
            and (self.rest is None or self.rest.shape == (N_LANDMARKS, 3))
        )
        if not shapes_agree:
            raise self._unusable("has landmarks, times and scores that do not belong together.")
        if self.found.dtype != bool:
            raise self._unusable("does not say in which frames a face was found.")
        self._check_numbers()

    def _check_numbers(self) -> None:
        """What is finite can be absurd: this is the one place that bounds it, for files and for callers alike."""
        low, high = FRAME_RATES
        if not low <= self.frame_rate <= high:  # also where it is NaN
            raise self._unusable(
                f"has a frame rate of {self.frame_rate:g}; it must be {low:g} to {high:g} a second."
            )
        short, long = sorted(self.size)
        if short < 1 or long > MOST_OBLONG * short or short * long > MOST_PIXELS:
            raise self._unusable(f"has a picture size of {self.size[0]}x{self.size[1]} pixels.")
        if not (np.isfinite(self.timestamps).all() and (np.diff(self.timestamps) > 0).all()):
            raise self._unusable("has times that do not rise from frame to frame.")
        if self.duration > MOST_WAITING * len(self) / self.frame_rate + FREE_SECONDS:
            raise self._unusable(
                f"has {len(self)} frames for {self.duration:.4g} s, which do not fit its {self.frame_rate:g} frames a second."
            )
        self._check_landmarks(self.landmarks)
        if self.rest is not None:
            self._check_landmarks(self.rest[None])
        if self.blendshapes is not None and not np.isfinite(self.blendshapes).all():
            raise self._unusable("has expression scores that are not finite (NaN or infinite).")

    def _check_landmarks(self, landmarks: np.ndarray) -> None:
        if not (landmarks.min() >= -FURTHEST and landmarks.max() <= FURTHEST):  # also where one is NaN
            raise self._unusable(
                "has landmarks that are not finite (NaN or infinite) or far outside the picture."
            )
        steady = landmarks[:, :N_MESH][:, rigid_weights() > 0, :2]  # what a head's pose is measured by
        if np.ptp(steady, axis=1).max(axis=-1).min() < LEAST_FACE:
            raise self._unusable("has a face without extent: its landmarks lie in one point.")
        corners = landmarks[:, EYE_CORNERS]
        if np.linalg.norm(corners[:, :, 0] - corners[:, :, 1], axis=-1).min() < LEAST_EYE:
            raise self._unusable("has a face without eyes: their corners lie in one point.")

    def _unusable(self, what: str) -> MotionError:
        return MotionError(f"{shown(self.source)} {what}")

    def __len__(self) -> int:
        return len(self.landmarks)

    def __getitem__(self, frames: slice) -> "Motion":
        """The motion of some frames; times stay as they are."""
        return replace(
            self,
            landmarks=self.landmarks[frames],
            timestamps=self.timestamps[frames],
            found=self.found[frames],
            blendshapes=None if self.blendshapes is None else self.blendshapes[frames],
        )

    @property
    def points(self) -> np.ndarray:
        """``(T, 478, 2)`` float32 pixels."""
        return self.landmarks[..., :2] * np.array(self.size, np.float32)

    @property
    def duration(self) -> float:
        """Seconds, the last frame's own time included."""
        return float(self.timestamps[-1] - self.timestamps[0]) + 1.0 / self.frame_rate

    def at_rate(self, frame_rate: float) -> "Motion":
        """The motion at another constant rate, between its own poses in proportion of time; it lasts as long, to half a
        frame."""
        if frame_rate == self.frame_rate:
            return self
        frames = max(1, math.ceil(self.duration * frame_rate - 0.5 - 1e-4))
        times = self.timestamps[0] + np.arange(frames) / frame_rate
        place = np.interp(times, self.timestamps, np.arange(len(self)))
        before = np.floor(place).astype(int)
        after = np.minimum(before + 1, len(self) - 1)

        def between(values: np.ndarray) -> np.ndarray:
            share = (place - before).reshape(-1, *[1] * (values.ndim - 1))
            return ((1 - share) * values[before] + share * values[after]).astype(np.float32)

        return replace(
            self,
            landmarks=between(self.landmarks),
            timestamps=times,
            frame_rate=frame_rate,
            found=self.found[np.rint(place).astype(int)],
            blendshapes=None if self.blendshapes is None else between(self.blendshapes),
        )

    def smoothed(self, strength: float = 1.0) -> "Motion":
        """The motion without the detector's jitter; blinks and fast mouth movements stay.

        Parameters
        ----------
        strength : 0 changes nothing, 1 averages over about a tenth of a second, 2 over twice that

        See `smoothing.smooth_landmarks` for the way it is done.
        """
        smooth = smooth_landmarks(self.landmarks, self.frame_rate, self.size, strength)
        return replace(self, landmarks=smooth.astype(np.float32))

    def save(self, path: Path, overwrite: bool = False) -> None:
        """Write a motion file (see the module docstring); complete or not at all.

        Raises `MotionError` if the file is there already and `overwrite` is False, or cannot be written.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise MotionError(f"{path} is there already. Choose another name or allow it to be overwritten.")
        header = {
            "format": FORMAT,
            "version": VERSION,
            "frame_rate": float(self.frame_rate),
            "size": [int(side) for side in self.size],
            "source": self.source,
            "quarter_turns": self.quarter_turns,
        }
        arrays: dict[str, np.ndarray] = {
            "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
            "timestamps": self.timestamps.astype(np.float64),
            "found": self.found.astype(bool),
            "landmarks": _to_byte_planes(self.landmarks.astype(np.float32)),
        }
        if self.blendshapes is not None:
            arrays["blendshapes"] = self.blendshapes.astype(np.float32)
        if self.rest is not None:
            arrays["rest"] = self.rest.astype(np.float32)
        try:
            write_arrays(path, arrays, compressed=True)
        except OSError as error:
            raise MotionError(f"{path} cannot be written: {error.strerror or error}.") from error

    @staticmethod
    def read(path: Path) -> "Motion":
        """Read a file whose name ends in one of `MOTION_ENDINGS`; see `load` and `from_release`, also for errors."""
        return Motion.from_release(path) if path.suffix.lower() == RELEASED_ENDING else Motion.load(path)

    @staticmethod
    def load(path: Path) -> "Motion":
        """Read a motion file.

        Raises `MotionError` if the file is missing, is no motion file, is damaged, or is of a newer version.
        """
        try:
            return _from_arrays(path, read_arrays(path))
        except FileNotFoundError as error:
            raise MotionError(f"There is no motion file {path}.") from error
        except OSError as error:
            raise MotionError(f"{path} cannot be read: {error.strerror or error}.") from error
        except TooLarge as error:
            raise MotionError(
                f"{path} unpacks to {error.unpacked >> 20} MiB, which no motion file should."
            ) from error
        except ArraysError as error:
            raise MotionError(
                f"{path} is not a motion file, or it is damaged or cut short. Extract the motion from its clip again."
            ) from error

    @staticmethod
    def from_release(path: Path) -> "Motion":
        """Import a motion template of the Follow-Your-Emoji release, a pickled ``.npy``, without running what is in it.

        The file does not say its frame rate: it is taken to be that of the released benchmark's clips.

        Raises `MotionError` if the file is no such template, or holds code.
        """
        path = Path(path)
        frames = read_released_frames(path)
        try:
            landmarks = np.stack([np.asarray(frame["lmks"], np.float32) for frame in frames])
            size = (int(frames[0]["width"]), int(frames[0]["height"]))
            scores = [frame.get("bs") for frame in frames]
            blendshapes = None
            if all(score is not None and np.shape(score) == (52,) for score in scores):
                blendshapes = np.array(scores, np.float32)
        except (OverflowError, TypeError, ValueError) as error:
            raise MotionError(
                f"{path} is not a motion template: its frames lack landmarks or a size."
            ) from error
        if landmarks.shape[1:] != (N_LANDMARKS, 3):
            raise MotionError(
                f"{path} has {landmarks.shape[1:]} landmark values a frame; (478, 3) are needed."
            )
        return Motion(
            landmarks=landmarks,
            timestamps=np.arange(len(landmarks)) / RELEASED_RATE,
            frame_rate=RELEASED_RATE,
            size=size,
            source=path.name,
            found=np.ones(len(landmarks), bool),
            blendshapes=blendshapes,
        )


def _to_byte_planes(landmarks: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(landmarks).view(np.int32)
    steps = np.diff(bits, axis=0, prepend=np.zeros_like(bits[:1]))
    zigzag = ((steps << 1) ^ (steps >> 31)).astype("<i4")
    # (t, n, c, byte) -> (byte, n, c, t)
    return np.ascontiguousarray(zigzag.view(np.uint8).reshape(*landmarks.shape, 4).transpose(3, 1, 2, 0))


def _from_byte_planes(planes: np.ndarray) -> np.ndarray:
    bits = np.empty((planes.shape[3], N_LANDMARKS, 3), np.int32)
    before = np.zeros((N_LANDMARKS, 3), np.int32)
    for block in blocks(len(bits)):  # all at once would take several times the memory
        codes = np.ascontiguousarray(planes[..., block].transpose(3, 1, 2, 0)).view("<u4")[..., 0]
        steps = (codes >> 1).astype(np.int32) ^ -(codes & 1).astype(np.int32)
        np.cumsum(steps, axis=0, dtype=np.int32, out=bits[block])
        bits[block] += before
        before = bits[block][-1]
    return bits.view(np.float32)


def _from_arrays(path: Path, arrays: dict[str, np.ndarray]) -> Motion:
    header = _header(path, arrays)
    if lacking := [name for name in ("landmarks", "timestamps", "found") if name not in arrays]:
        raise MotionError(f"{path} is damaged: it lacks its {lacking[0]}.")
    for name, dtype in ENTRIES.items():
        if name in arrays and arrays[name].dtype != dtype:
            raise MotionError(f"{path} is damaged: its {name} holds {arrays[name].dtype} values.")
    shape = arrays["landmarks"].shape
    if len(shape) != 4 or shape[:3] != (4, N_LANDMARKS, 3):
        raise MotionError(f"{path} is damaged: its landmarks have the shape {shown(str(shape))}.")
    try:
        return Motion(
            landmarks=_from_byte_planes(arrays.pop("landmarks")),  # which lets go of them
            timestamps=arrays["timestamps"],
            frame_rate=float(header["frame_rate"]),
            size=tuple(header["size"]),
            source=header["source"],
            found=arrays["found"],
            blendshapes=arrays.get("blendshapes"),
            quarter_turns=header.get("quarter_turns", 0) % 4,
            rest=arrays.get("rest"),
        )
    except MotionError as error:
        raise MotionError(f"{path} cannot be used: {error}") from error


def _header(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The header's entries, of the right types."""
    text = arrays["header"].tobytes() if "header" in arrays else b"{}"
    try:
        if len(text) > MOST_HEADER:
            raise ValueError(f"it is longer than {MOST_HEADER >> 10} KiB")
        header = json_object(text)
    except ValueError as error:
        raise MotionError(f"{path} is damaged: its header cannot be read ({first_line(error)}).") from error
    if header.get("format") != FORMAT:
        raise MotionError(f"{path} is not a motion file. Extract one from a clip first.")
    if header.get("version") != VERSION:
        raise MotionError(
            f"{path} is a motion file of version {shown(str(header.get('version')))}; this program reads version {VERSION}. Update it."
        )
    match header:
        case {"frame_rate": int() | float(), "size": [int(), int()], "source": str()}:
            if isinstance(header.get("quarter_turns", 0), int):
                return header
    raise MotionError(f"{path} is damaged: its header does not say how the motion was made.")
