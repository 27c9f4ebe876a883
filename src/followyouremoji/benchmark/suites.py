"""Suites of drawn clips whose truth is known: drawn once into a folder, read from there by every method and every
weights.

*Self*: a portrait is driven by the true landmarks of its own clip. *Cross*: it is driven by another identity's
drawings, whose faces are detected and aligned as a user's clip would be, and judged against the drawing of its own
identity in that performance, a truth that no benchmark of filmed faces has.

Case n is a function of the suite's seed and n alone, so the first 64 cases of a suite of 256 are the suite of 64.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from followyouremoji.benchmark.fingerprints import code_hash, text_hash
from followyouremoji.errors import DataError, FaceNotFound, SettingsError
from followyouremoji.executors import Executor
from followyouremoji.face.alignment import AlignmentSettings, align_in_picture, align_motion
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.motion import Motion
from followyouremoji.files import atomic, write_json
from followyouremoji.portraits import (
    STYLES,
    Identity,
    Performance,
    draw_portrait,
    expressive_motion,
    random_identity,
)

FIRST_SEED = 900_000  # far from every seed that a training run draws with
FRAMES = 16
FRAME_RATE = 10.0  # frames a second: 1.6 s, in which expressions come and go
COMPARED = (3, 7, 11, 15)
DETECTED_SIZE = 512  # pixels a side of the drawings in which faces are detected for cross-reenactment, as a user's would be
ATTEMPTS = 20  # draws until a pair of identities is found whose faces the detector sees
DRAWN_BY = ("benchmark", "face", "portraits")  # whose change makes another suite
LAYOUT = 2  # of a case's file

Kind = Literal["self", "cross"]


@dataclass(frozen=True)
class SuiteSettings:
    """Which clips are drawn.

    Attributes
    ----------
    cases : clips; they take turns in `styles`.
    size : pixels a side; every method gives pictures of this size. The paper's figures are measured at 256.
    styles : of `portraits.random_identity`; those held out from training make a suite of unseen styles.
    seed : the first part of every case's seed.
    """

    kind: Kind = "self"
    cases: int = 256
    size: int = 256
    styles: tuple[str, ...] = STYLES
    seed: int = FIRST_SEED

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise SettingsError(f"A suite is one of {', '.join(get_args(Kind))}, not {self.kind!r}.")
        if self.cases < 1 or self.size < 32 or self.seed < 0:
            raise SettingsError(
                f"A suite needs at least 1 case of 32 pixels and a seed from 0, not {self.cases} of {self.size} "
                f"and {self.seed}."
            )
        if not self.styles:
            raise SettingsError("A suite needs at least one style of portraits.")

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with whatever the drawings depend on, the number of cases excepted."""
        settings = {name: value for name, value in asdict(self).items() if name != "cases"}
        described = json.dumps(
            [LAYOUT, settings, FRAMES, FRAME_RATE, COMPARED, DETECTED_SIZE], sort_keys=True
        )
        return text_hash(described + drawing_code())

    def folder(self, cache_folder: Path) -> Path:
        """Where the suite's cases lie."""
        return cache_folder / f"{self.kind}-{self.size}px-{self.fingerprint}"


def drawing_code() -> str:
    """A hash of the code, data and libraries that draw, detect and align."""
    return code_hash(*DRAWN_BY, libraries=("skia-python", "mediapipe"))


@dataclass(frozen=True)
class Case:
    """One clip: what goes in and what should come out, in pixels of square pictures of one size S.

    Attributes
    ----------
    index, style : its place in the suite, and the style of the portrait.
    portrait : uint8 (S, S, 3)
    portrait_points : (478, 2) its landmarks.
    points : (16, 478, 2) the landmarks that drive.
    image_points : (16, 478, 2) the same aligned in the picture alone, by a shift and a scale ("2D landmarks" of Table
        2).
    truth : uint8 (16, S, S, 3), the true drawings.
    truth_points : (16, 478, 2) their landmarks.
    seen : (4, 478, 2) what the detector finds in the true drawings of the compared frames; NaN where it finds no face.
    """

    index: int
    style: str
    portrait: np.ndarray
    portrait_points: np.ndarray
    points: np.ndarray
    image_points: np.ndarray
    truth: np.ndarray
    truth_points: np.ndarray
    seen: np.ndarray

    @property
    def size(self) -> int:
        return int(self.portrait.shape[0])


def draw_case(settings: SuiteSettings, index: int, detector: FaceDetector) -> Case:
    """Draw case `index`: a pure function of the suite's settings. Raises FaceNotFound where no attempt has visible
    faces."""
    for attempt in range(ATTEMPTS):
        try:
            draw = self_case if settings.kind == "self" else cross_case
            return draw(settings, index, attempt, detector)
        except FaceNotFound:
            continue
    raise FaceNotFound(
        f"The detector saw no face in {ATTEMPTS} drawings for case {index} of the {settings.kind} suite in the style "
        f"{settings.styles[index % len(settings.styles)]!r}; leave this style out of a cross suite."
    )


def performed(settings: SuiteSettings, index: int, attempt: int) -> tuple[Identity, list[Performance]]:
    """The identity of a case, and the clip that it performs in its own case and lends to the case before."""
    rng = np.random.default_rng((settings.seed, index, attempt))
    identity = random_identity(rng, settings.styles[index % len(settings.styles)])
    return identity, expressive_motion(rng, FRAMES, FRAME_RATE)


def self_case(settings: SuiteSettings, index: int, attempt: int, detector: FaceDetector) -> Case:
    identity, clip = performed(settings, index, attempt)
    pose = Performance.random(np.random.default_rng((settings.seed + 1, index, attempt)))
    portrait = draw_portrait(identity, pose, settings.size)
    drawn = [draw_portrait(identity, performance, settings.size) for performance in clip]
    points = np.stack([d.points for d in drawn])
    truth = np.stack([d.picture for d in drawn])
    return Case(
        index, identity.style, portrait.picture, portrait.points, points, points, truth, points,
        detected(truth, detector),
    )  # fmt: skip


def cross_case(settings: SuiteSettings, index: int, attempt: int, detector: FaceDetector) -> Case:
    """The portrait of `index`, at rest, driven by the next identity's clip, which begins at rest.

    Raises FaceNotFound where the portrait's face, or a face of the driving drawings, is not seen.
    """
    identity, _ = performed(settings, index, attempt)
    driver, clip = performed(settings, index + 1, attempt)
    rest = Performance.neutral()
    own = detector.detect(draw_portrait(identity, rest, DETECTED_SIZE).picture)
    found = [detector.detect(draw_portrait(driver, p, DETECTED_SIZE).picture) for p in (rest, *clip)]
    motion = drawn_motion(np.stack([face.normalised for face in found]), DETECTED_SIZE)
    scale = settings.size / DETECTED_SIZE
    drawn = [draw_portrait(identity, performance, settings.size) for performance in clip]
    truth = np.stack([d.picture for d in drawn])
    return Case(
        index=index,
        style=identity.style,
        portrait=draw_portrait(identity, rest, settings.size).picture,
        portrait_points=scale * own.points,
        points=scale * align_motion(motion, own, AlignmentSettings(neutral=0))[1:],
        image_points=scale * align_in_picture(motion, own)[1:],
        truth=truth,
        truth_points=np.stack([d.points for d in drawn]),
        seen=detected(truth, detector),
    )


def drawn_motion(normalised: np.ndarray, size: int) -> Motion:
    """A motion of normalised landmarks (T, 478, 3) in square pictures of `size` pixels, at the suites' frame rate."""
    times = np.arange(len(normalised)) / FRAME_RATE
    found = np.ones(len(times), bool)
    return Motion(normalised.astype(np.float32), times, FRAME_RATE, (size, size), "drawings", found, None)


def found_points(detector: FaceDetector, picture: np.ndarray) -> np.ndarray:
    """The detector's landmarks (478, 2) in pixels; all NaN where it finds no face."""
    try:
        return detector.detect(picture).points
    except FaceNotFound:
        return np.full((478, 2), np.nan, np.float32)


def detected(frames: np.ndarray, detector: FaceDetector) -> np.ndarray:
    """What the detector finds in the compared ones of a clip's frames (16, S, S, 3): (4, 478, 2), NaN for no face."""
    return np.stack([found_points(detector, frames[frame]) for frame in COMPARED])


@dataclass(frozen=True)
class Suite:
    """A suite that is drawn: cases are read one at a time, each about a megabyte."""

    settings: SuiteSettings
    folder: Path

    def __len__(self) -> int:
        return self.settings.cases

    def case(self, index: int) -> Case:
        """Raises DataError where the case's file is damaged."""
        return read_case(case_path(self.folder, index))


def drawn_suite(settings: SuiteSettings, cache_folder: Path, executor: Executor) -> Suite:
    """The suite, drawn as far as it is not in `cache_folder` yet; a drawing that was cut short goes on where it
    stopped."""
    folder = settings.folder(cache_folder)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [index for index in range(settings.cases) if not case_path(folder, index).exists()]
    if missing:
        described = {**asdict(settings), "cases": None, "code": drawing_code()}
        write_json(folder / "suite.json", described)
        draw = partial(_draw_case_into, settings=settings, folder=folder)
        for outcome in executor.map(draw, missing, FaceDetector):
            outcome.result()
    return Suite(settings, folder)


def _draw_case_into(index: int, detector: FaceDetector, settings: SuiteSettings, folder: Path) -> None:
    write_case(draw_case(settings, index, detector), case_path(folder, index))


def case_path(folder: Path, index: int) -> Path:
    return folder / f"case_{index:04d}.npz"


def write_case(case: Case, path: Path) -> None:
    """Write a case; the file appears when it is complete."""
    arrays = {name: np.asarray(value) for name, value in vars(case).items()}
    singles = {name: array.astype(np.float32) for name, array in arrays.items() if array.dtype == np.float64}
    with atomic(path) as temporary:
        np.savez_compressed(temporary, **arrays | singles)


def read_case(path: Path) -> Case:
    """Raises DataError where the file is damaged or missing."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in Case.__dataclass_fields__}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as reason:
        raise DataError(
            f"{path} is not a case of a suite ({reason}); delete it, and it is drawn anew."
        ) from None
    return Case(**{name: array if array.ndim else array.item() for name, array in arrays.items()})
