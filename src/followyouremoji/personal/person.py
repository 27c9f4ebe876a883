"""One person's or one character's pictures and clips as training clips, made many by warping, recolouring and
reframing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from followyouremoji.data.source import TrainingClip
from followyouremoji.errors import DataError, FaceNotFound, SettingsError, UserError
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.tracking import track_motion
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.cropping import Crop, face_crop
from followyouremoji.media.pictures import PICTURE_ENDINGS, read_picture
from followyouremoji.personal.warping import Expressions, drawn_expressions, expressive_points, warped_face

KEPT_MARGIN = 3.0  # the kept square's side over the face's: room to reframe in
REAL_FRAMES = 8  # a take of fewer frames shows too little motion to learn from and is warped as a picture is
MOST_FRAMES = 240  # of a clip that are kept, evenly chosen: more of one clip teach little more
HELD_OUT = 0.15  # of a clip's frames, at its end, that are never trained on
BANK = 160  # expressions that a picture is warped to


@dataclass(frozen=True)
class Reframing:
    """How widely one clip's pictures are varied, all of its frames alike; standard deviations.

    Attributes
    ----------
    zoom, shift : of the square, natural logarithm of its side and parts of its side
    light, contrast, tint : of the colours: additive in [0, 1], logarithm of a factor about the mean, logarithm of a
        channel's factor
    """

    zoom: float = 0.08
    shift: float = 0.03
    light: float = 0.03
    contrast: float = 0.08
    tint: float = 0.03


NO_REFRAMING = Reframing(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Take:
    """Pictures of one face from one file, cut to a generous square.

    `pictures` uint8 (frames, side, side, 3); `landmarks` (frames, 478, 3) normalised to that square.
    """

    name: str
    pictures: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class Person:
    """A `ClipSource` of one person; `held_out` shows views that training never shows: other expressions, a clip's last
    frames.

    A clip's first frame is the portrait. Takes of few frames are warped (`warped_face`), each frame to another
    expression.
    """

    takes: tuple[Take, ...]
    expressions: Expressions
    picture_size: int
    seed: int = 0
    reframing: Reframing = Reframing()
    held_out: bool = False

    @property
    def size(self) -> int:
        return self.picture_size

    def clip(self, position: int, frames: int) -> TrainingClip:
        """See `ClipSource.clip`: a pure function of seed and position."""
        rng = np.random.default_rng((self.seed, int(self.held_out), position))
        weights = np.array([min(len(take), 4 * REAL_FRAMES) for take in self.takes], np.float64)
        take = self.takes[int(rng.choice(len(self.takes), p=weights / weights.sum()))]
        if len(take) >= REAL_FRAMES:
            pictures, points = self._acted(take, rng, frames)
        else:
            pictures, points = self._warped(take, rng, frames)
        return TrainingClip(f"{take.name} at {position}", recoloured(pictures, self.reframing, rng), points)

    def _acted(self, take: Take, rng: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Frames as they were filmed."""
        last = max(2, round(len(take) * (1 - HELD_OUT)))
        among = np.arange(last, len(take)) if self.held_out and last < len(take) else np.arange(last)
        first = int(rng.integers(last))  # the portrait is one that training may know
        others = rng.choice(among, frames - 1, replace=len(among) < frames - 1)
        chosen = [first, *map(int, others)]
        side = take.pictures.shape[1]
        points = pixels(take.landmarks[chosen], side)
        crop = reframed(face_crop(points[..., :2]), self.reframing, rng)
        cut = np.stack([crop.cut(take.pictures[i], self.size) for i in chosen])
        return cut, in_crop(points, crop, self.size)

    def _warped(self, take: Take, rng: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """One picture, each frame warped to another expression; the portrait is as it was taken half of the time."""
        frame = int(rng.integers(len(take)))
        picture, landmarks = take.pictures[frame], take.landmarks[frame]
        side = picture.shape[0]
        which = rng.choice(len(self.expressions), frames, replace=len(self.expressions) < frames)
        chosen = Expressions(
            self.expressions.offsets[which], self.expressions.turns[which], self.expressions.gazes[which]
        )
        strength = rng.uniform(0.5, 1.1, frames)
        points = expressive_points(landmarks, (side, side), chosen, strength)
        untouched = rng.random() < 0.5
        own = pixels(landmarks, side)
        if untouched:
            points[0] = own
        crop = reframed(face_crop(np.concatenate([points[..., :2], own[None, :, :2]])), self.reframing, rng)
        square, own_points = crop.cut(picture, self.size), crop.to_crop(own[:, :2], self.size)
        moved = in_crop(points, crop, self.size)
        pictures = [warped_face(square, own_points, p[:, :2]) for p in moved]
        if untouched:
            pictures[0] = square
        return np.stack(pictures), moved


def read_person(sources: Sequence[Path], size: int, *, seed: int = 0, face: int | None = None) -> Person:
    """Find the face in pictures, clips and folders of either.

    Parameters
    ----------
    size : pixels a side of the training pictures, the model's own.
    face : which face of the first picture or frame, 1 is the furthest to the left; None the largest.

    Raises
    ------
    SettingsError : nothing was given.
    DataError : a file cannot be read, or shows no face.
    """
    files = [file for source in sources for file in _files_of(source)]
    if not files:
        raise SettingsError(
            "no picture or clip was given to learn from; name at least one picture, clip or folder"
        )
    with FaceDetector() as detector:
        takes = tuple(_take(file, size, detector, face) for file in files)
    expressions = drawn_expressions(seed + 1, BANK)
    return Person(takes, expressions, size, seed)


def held_out_views(person: Person, expressions: int = 48) -> Person:
    """The same person in views to judge by: expressions of another seed, real frames kept apart, framing and colours as
    they are."""
    return Person(
        person.takes,
        drawn_expressions(person.seed + 1_000_003, expressions),
        person.picture_size,
        person.seed,
        NO_REFRAMING,
        held_out=True,
    )


def _files_of(source: Path) -> list[Path]:
    if not source.exists():
        raise DataError(
            f"{source}: there is no such file or folder; give a picture, a clip or a folder of them"
        )
    if not source.is_dir():
        return [source]
    files = [file for file in sorted(source.iterdir()) if file.is_file() and not file.name.startswith(".")]
    if not files:
        raise DataError(f"{source} is an empty folder; put pictures or clips of the person into it")
    return files


def _take(file: Path, size: int, detector: FaceDetector, face: int | None) -> Take:
    try:
        if file.suffix.lower() in PICTURE_ENDINGS and file.suffix.lower() not in (".gif", ".webp"):
            picture = read_picture(file)
            return make_take(str(file), [picture], [detector.detect(picture, face)], size)
        with ClipReader(file) as clip:
            motion, _ = track_motion(clip, clip.info.frame_rate, detector, str(file), face)
        found = np.flatnonzero(motion.found)
        chosen = found[np.unique(np.linspace(0, len(found) - 1, min(MOST_FRAMES, len(found))).astype(int))]
        wanted = {int(frame) for frame in chosen}
        landmarks = [Landmarks(motion.landmarks[frame], motion.size) for frame in chosen]
        with ClipReader(file) as clip:
            pictures = (picture for frame, (_, picture) in enumerate(clip) if frame in wanted)
            return make_take(str(file), pictures, landmarks, size)
    except FaceNotFound as error:
        raise DataError(
            f"{file} shows no face to learn from ({error}); leave it out or give a clearer one"
        ) from error
    except DataError:
        raise
    except UserError as error:
        raise DataError(f"{file} cannot be learnt from: {error}") from error


def make_take(name: str, pictures: Iterable[np.ndarray], landmarks: Sequence[Landmarks], size: int) -> Take:
    """Cut pictures of one file, read one by one, with their landmarks, to the square that is kept.

    It is twice as fine as the training pictures.
    """
    points = np.stack([one.points for one in landmarks])
    crop = face_crop(points, KEPT_MARGIN)
    side = max(size, min(round(crop.side), 3 * size))
    kept = np.stack([crop.cut(picture, side) for picture in pictures])
    normalised = [
        np.concatenate(
            [
                crop.to_crop(one.points, side) / side,
                one.normalised[:, 2:] * one.size[0] / crop.side,  # z is on the scale of x
            ],
            axis=1,
        )
        for one in landmarks
    ]
    return Take(name, kept, np.stack(normalised).astype(np.float32))


def pixels(landmarks: np.ndarray, side: int) -> np.ndarray:
    """Normalised landmarks (..., 478, 3) of a square of `side` pixels as pixels, z too."""
    return landmarks.astype(np.float64) * side


def in_crop(points: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """Points (..., 478, 3) in pixels of a picture as float32 pixels of a crop cut at `size`."""
    return np.concatenate(
        [crop.to_crop(points[..., :2], size), points[..., 2:] * (size / crop.side)], axis=-1
    ).astype(np.float32)


def reframed(crop: Crop, reframing: Reframing, rng: np.random.Generator) -> Crop:
    """The square a little larger or smaller and moved."""
    side = crop.side * float(np.exp(reframing.zoom * rng.normal()))
    x, y = crop.side * reframing.shift * rng.normal(size=2) + 0.5 * (crop.side - side)
    return Crop(crop.x + float(x), crop.y + float(y), side)


def recoloured(pictures: np.ndarray, reframing: Reframing, rng: np.random.Generator) -> np.ndarray:
    """All frames (n, h, w, 3) uint8 in another light: one change for the whole clip, the portrait included."""
    gain = np.exp(reframing.contrast * rng.normal() + reframing.tint * rng.normal(size=3))
    lift = 255 * reframing.light * rng.normal()
    if (gain == 1).all() and lift == 0:
        return pictures
    levels = (np.arange(256)[:, None] - 128.0) * gain + 128.0 + lift
    table = np.rint(levels).clip(0, 255).astype(np.uint8)  # (256, 3)
    return np.stack([table[pictures[..., channel], channel] for channel in range(3)], axis=-1)
