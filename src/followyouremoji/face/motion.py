"""Motion: the landmarks of one face over time, as a value and as a file.

The ``.fyemotion`` file
-----------------------
A zip archive as `numpy.savez_compressed` writes it, readable without pickle. Version 1 holds

- ``header``: a JSON text: ``{"format": "followyouremoji-motion", "version": 1, "frame_rate", "size", "source"}``;
- ``timestamps``: float64 ``(T,)`` seconds; ``found``: bool ``(T,)``; ``blendshapes``, if known: float32 ``(T, 52)``;
- ``landmarks``: uint8 ``(4, 478, 3, T)``. The float32 landmarks are read as 32-bit integers, replaced by their
  differences from frame to frame (wrapping around), zigzag-coded ``(d << 1) ^ (d >> 31)`` and split into byte planes,
  lowest byte first. Nothing is lost, and the file is about 0.6 times as large as compressed floats.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from followyouremoji.files import whole

from ..errors import FaceNotFound, MotionError
from .detection import FaceDetector, Landmarks
from .released_motion import read_released_frames
from .smoothing import smooth_landmarks
from .topology import N_LANDMARKS

MOTION_ENDING = ".fyemotion"
RELEASED_ENDING = ".npy"
MOTION_ENDINGS = (MOTION_ENDING, RELEASED_ENDING)
"""Names of files that `Motion.read` takes end so."""

FORMAT = "followyouremoji-motion"
VERSION = 1
LARGEST_FILE = 1 << 31
"""Bytes that a motion file may unpack to: hours of motion, and a bound for a file made to fill the memory."""

BRIDGED_SECONDS = 0.5
"""Longest time without a face that interpolation bridges."""


@dataclass(frozen=True)
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
    """

    landmarks: np.ndarray
    timestamps: np.ndarray
    frame_rate: float
    size: tuple[int, int]
    source: str
    found: np.ndarray
    blendshapes: np.ndarray | None = None

    def __post_init__(self) -> None:
        frames = len(self.landmarks)
        if frames == 0:
            raise MotionError(f"{self.source} holds no frame.")
        shapes_agree = (
            self.landmarks.shape == (frames, N_LANDMARKS, 3)
            and self.timestamps.shape == (frames,)
            and self.found.shape == (frames,)
            and (self.blendshapes is None or self.blendshapes.shape == (frames, 52))
        )
        if not shapes_agree:
            raise MotionError(f"{self.source} has landmarks, times and scores that do not belong together.")
        if not np.isfinite(self.landmarks).all() or not np.isfinite(self.timestamps).all():
            raise MotionError(f"{self.source} has landmarks or times that are no numbers.")
        if not (np.isfinite(self.frame_rate) and self.frame_rate > 0 and min(self.size) > 0):
            raise MotionError(f"{self.source} has no usable frame rate or picture size.")

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
        }
        arrays: dict[str, np.ndarray] = {
            "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
            "timestamps": self.timestamps.astype(np.float64),
            "found": self.found.astype(bool),
            "landmarks": _to_byte_planes(self.landmarks.astype(np.float32)),
        }
        if self.blendshapes is not None:
            arrays["blendshapes"] = self.blendshapes.astype(np.float32)
        try:
            with whole(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, **arrays)
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
        path = Path(path)
        if not path.is_file():
            raise MotionError(f"There is no motion file {path}.")
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > LARGEST_FILE:
                raise MotionError(f"{path} unpacks to {unpacked >> 20} MiB, which no motion file should.")
            with np.load(path, allow_pickle=False) as data:
                return _from_arrays(path, {name: data[name] for name in data.files})
        except MotionError:
            raise
        except zipfile.BadZipFile as error:
            raise MotionError(
                f"{path} is not a motion file, or it is cut short. Extract the motion from its clip again."
            ) from error
        except Exception as error:  # a damaged archive fails in many ways inside zipfile, zlib and numpy
            raise MotionError(f"{path} is damaged. Extract the motion from its clip again.") from error

    @staticmethod
    def from_release(path: Path, frame_rate: float = 30.0) -> "Motion":
        """Import a motion template of the Follow-Your-Emoji release, a pickled ``.npy``, without running what is in it.

        Parameters
        ----------
        path : the ``.npy`` file
        frame_rate : frames a second; the file does not say. 30 is that of the released benchmark's clips
            (5 seconds of 150 frames).

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
        except (KeyError, TypeError, ValueError) as error:
            raise MotionError(
                f"{path} is not a motion template: its frames lack landmarks or a size."
            ) from error
        if landmarks.shape[1:] != (N_LANDMARKS, 3):
            raise MotionError(
                f"{path} has {landmarks.shape[1:]} landmark values a frame; (478, 3) are needed."
            )
        return Motion(
            landmarks=landmarks,
            timestamps=np.arange(len(landmarks)) / frame_rate,
            frame_rate=frame_rate,
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
    count = planes.shape[3]
    codes = np.ascontiguousarray(planes.transpose(3, 1, 2, 0)).view("<u4").reshape(count, N_LANDMARKS, 3)
    steps = (codes >> 1).astype(np.int32) ^ -(codes & 1).astype(np.int32)
    return np.cumsum(steps, axis=0, dtype=np.int32).view(np.float32)


def _from_arrays(path: Path, arrays: dict[str, np.ndarray]) -> Motion:
    header = json.loads(arrays["header"].tobytes()) if "header" in arrays else {}
    if header.get("format") != FORMAT:
        raise MotionError(f"{path} is not a motion file. Extract one from a clip first.")
    if header["version"] != VERSION:
        raise MotionError(
            f"{path} is a motion file of version {header['version']}; this program reads version {VERSION}. Update it."
        )
    planes = arrays["landmarks"]
    if planes.dtype != np.uint8 or planes.shape[:3] != (4, N_LANDMARKS, 3):
        raise MotionError(f"{path} is damaged: its landmarks have the shape {planes.shape}.")
    width, height = header["size"]
    return Motion(
        landmarks=_from_byte_planes(planes),
        timestamps=arrays["timestamps"],
        frame_rate=float(header["frame_rate"]),
        size=(int(width), int(height)),
        source=str(header["source"]),
        found=arrays["found"],
        blendshapes=arrays.get("blendshapes"),
    )


@dataclass(frozen=True)
class Gap:
    """Frames without a face: `first` to `last`, both included, from `start` on for `seconds`."""

    first: int
    last: int
    start: float
    seconds: float


@dataclass(frozen=True)
class GapReport:
    """What was done about frames without a face: short gaps are bridged, long ones hold the last pose."""

    bridged: tuple[Gap, ...] = ()
    held: tuple[Gap, ...] = ()

    def __str__(self) -> str:
        """One line a gap for the user; empty if there is none."""
        lines = [_gap_line(gap, "filled by interpolation") for gap in self.bridged]
        lines += [
            _gap_line(gap, "the first pose is held" if gap.first == 0 else "the last pose is held")
            for gap in self.held
        ]
        return "\n".join(lines)


def _gap_line(gap: Gap, remedy: str) -> str:
    return f"No face from {gap.start:.2f} s for {gap.seconds:.2f} s (frames {gap.first} to {gap.last}): {remedy}."


def track_motion(
    clip: Iterable[tuple[float, np.ndarray]],
    frame_rate: float,
    detector: FaceDetector,
    source: str,
    face: int | None = None,
) -> tuple[Motion, GapReport]:
    """Follow a face through a clip.

    Parameters
    ----------
    clip : (seconds, RGB picture) pairs, read one at a time
    frame_rate : frames a second
    detector : finds the faces; with a bundle the motion has blendshape scores
    source : the clip's name, for messages
    face : which face from left to right, counted from 1; None for the largest

    Returns
    -------
    The motion, and where a face was missing: gaps of up to half a second between two faces are interpolated, longer
    ones and the end hold the last pose, the start holds the first.

    Raises
    ------
    FaceNotFound
        No frame has a face, or the first one with faces has fewer than `face`.
    """
    times: list[float] = []

    def pictures() -> Iterator[np.ndarray]:
        for time, picture in clip:
            times.append(time)
            yield picture

    size: tuple[int, int] | None = None
    seen: list[Landmarks | None] = []
    for landmarks in detector.track(pictures(), face):
        seen.append(landmarks)
        size = landmarks.size if landmarks else size
    if size is None:
        raise FaceNotFound(
            f"No face was found in {source} ({len(seen)} frames). Use a clip in which one face is well visible."
        )
    return _motion_of(seen, np.array(times, np.float64), frame_rate, size, source)


def _motion_of(
    seen: list[Landmarks | None],
    times: np.ndarray,
    frame_rate: float,
    size: tuple[int, int],
    source: str,
) -> tuple[Motion, GapReport]:
    found = np.array([face is not None for face in seen])
    known = np.flatnonzero(found)
    landmarks = np.zeros((len(seen), N_LANDMARKS, 3), np.float32)
    landmarks[known] = [face.normalised for face in seen if face is not None]
    scores = [face.blendshapes for face in seen if face is not None and face.blendshapes is not None]
    blendshapes = None
    if len(scores) == len(known):
        blendshapes = np.zeros((len(seen), 52), np.float32)
        blendshapes[known] = scores

    bridged: list[Gap] = []
    held: list[Gap] = []
    for gap in _gaps(found, times, frame_rate):
        inner = gap.first > 0 and gap.last + 1 < len(seen)
        bridge = inner and gap.seconds <= BRIDGED_SECONDS
        (bridged if bridge else held).append(gap)
        for values in (landmarks, blendshapes):
            if values is not None:
                _fill(values, times, gap, bridge)
    motion = Motion(landmarks, times, frame_rate, size, source, found, blendshapes)
    return motion, GapReport(tuple(bridged), tuple(held))


def _gaps(found: np.ndarray, times: np.ndarray, frame_rate: float) -> list[Gap]:
    edges = np.diff(np.concatenate([[True], found, [True]]).astype(int))
    gaps = []
    for first, after in zip(np.flatnonzero(edges < 0), np.flatnonzero(edges > 0), strict=True):
        last = int(after) - 1
        seconds = float(times[last] - times[first]) + 1.0 / frame_rate
        gaps.append(Gap(int(first), last, float(times[first]), seconds))
    return gaps


def _fill(values: np.ndarray, times: np.ndarray, gap: Gap, bridge: bool) -> None:
    missing = slice(gap.first, gap.last + 1)
    if not bridge:
        values[missing] = values[gap.last + 1] if gap.first == 0 else values[gap.first - 1]
        return
    start, end = gap.first - 1, gap.last + 1
    share = (times[missing] - times[start]) / max(times[end] - times[start], 1e-9)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    values[missing] = (1 - share) * values[start] + share * values[end]
