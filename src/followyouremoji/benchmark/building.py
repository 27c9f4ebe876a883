"""A suite out of anyone's folders of portraits and clips: faces found, squares cut, motions followed, and every file
that is not used refused with its reason."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image
from pydantic import Field

from followyouremoji.benchmark.gathering import Given, Kind, gather
from followyouremoji.benchmark.lossless import write_lossless
from followyouremoji.benchmark.overview import overview_sheet
from followyouremoji.benchmark.suite import (
    MANIFEST,
    ClipItem,
    Footage,
    Manifest,
    PairItem,
    PortraitItem,
    Suite,
    SuiteFile,
)
from followyouremoji.config import validated
from followyouremoji.errors import ClipError, DataError, FaceNotFound, PictureError, UserError
from followyouremoji.executors import Executor, WorkerLost
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.motion import Motion
from followyouremoji.face.search import SEARCH_SIZE
from followyouremoji.face.timeline import find_cuts
from followyouremoji.face.topology import N_MESH
from followyouremoji.files import atomic_output
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.cropping import Crop, face_crop
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.ranges import ClipRange
from followyouremoji.media.timing import generated_rate
from followyouremoji.sources import as_layers, find_portrait, track_file

REFUSED, OVERVIEW = "refused.csv", "overview.jpg"
"""Files of a built suite that its manifest does not name."""

LEAST_FRAMES = 3
MOST_ENLARGED = 2.0
"""Of a square cut out of a picture, to the suite's size."""

LEAST_FACE = 0.2
"""Side of a face's landmarks over the side of its square; a face that moves further than that is too small in it."""

WHOLE = 0.97
"""Share of a whole face's mesh that lies inside the square."""

MOST_MISSING = 0.05
"""Share of a clip's frames that may lack a whole face; its motion there is filled in."""

NEIGHBOURHOOD = 1.5
"""Side of the part of a picture that must show one face only, over that of the square."""

SHOWN_FRAMES = 5  # of a clip, in the overview
SHOWN_SIDE = 128  # pixels


@validated
class BuildSettings:
    """How a suite is built."""

    size: Annotated[int, Field(ge=64, le=1024)] = 256
    """Pixels a side."""
    frames: Annotated[int, Field(ge=LEAST_FRAMES, le=10_000)] = 150
    """Most frames of a clip, from its first."""
    cross: Annotated[int, Field(ge=0)] | None = 1
    """Clips for each portrait, in turns; None: every clip for every portrait."""
    name: str | None = None
    """The suite's; by default that of its folder."""
    licence: str = "not stated"
    """Of all files whose label states none."""
    source: str = ""
    """Where all files come from whose label does not say."""


@dataclass(frozen=True)
class Made:
    """A portrait or clip for the suite. `shown` is uint8 (S, n * S, 3) for the overview, `points` (478, 2) the first
    frame's landmarks in its pixels; `content` is the SHA-256 by which equal items are known."""

    given: Given
    item: PortraitItem | ClipItem
    shown: np.ndarray
    points: np.ndarray
    content: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A file that is not in the suite, and why."""

    kind: Kind
    place: str
    reason: str


@dataclass(frozen=True)
class Built:
    """A suite, what was refused, and sentences on what was accepted."""

    suite: Suite
    refused: list[Refused]
    notes: list[str]


class NothingAccepted(DataError):
    """No suite can be made, since all that it needs was `refused`."""

    def __init__(self, message: str, refused: list[Refused]) -> None:
        super().__init__(message)
        self.refused = refused


def build_suite(
    out: Path,
    portraits: Sequence[Path],
    clips: Sequence[Path],
    settings: BuildSettings,
    executor: Executor,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Built:
    """Make a suite in the new folder `out` of the files in folders of portraits and of clips.

    `advance` is called with the files worked on, and all. The same files make the same bytes.

    Raises
    ------
    DataError : a folder is not there, its labels cannot be used, `out` exists or cannot be written.
    NothingAccepted : no clip can be used, or portraits were given and none can be.
    """
    given, refused = [], []
    for kind, folders in (("portrait", portraits), ("clip", clips)):
        found, twins = gather(kind, folders, settings.licence, settings.source)  # type: ignore[arg-type]
        given += found
        refused += [Refused(twin.kind, twin.place, f"{twin.other} has the same name") for twin in twins]
    with atomic_output(out, False, DataError, entries=lambda name: False) as folder:
        for name in ("portraits", "clips"):
            (folder / name).mkdir(parents=True)
        outcomes: dict[tuple[Kind, str], Made | Refused] = {}
        work = partial(make_item, settings=settings, folder=folder)
        for done, outcome in enumerate(executor.map(work, given, FaceDetector), 1):
            one = outcome.item
            if isinstance(outcome.error, WorkerLost):
                outcomes[one.kind, one.name] = Refused(one.kind, one.place, str(outcome.error))
            else:
                outcomes[one.kind, one.name] = outcome.result()
            advance(done, len(given))
        made = _without_copies([outcomes[one.kind, one.name] for one in given], refused, folder)
        _check_enough(made, bool(portraits), refused)
        manifest = _manifest(made, settings, settings.name or out.name)
        (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        _write_refused(folder / REFUSED, refused)
        sheet = overview_sheet(
            [(f"{one.given.name}  {_label(one.given)}", one.shown, one.points) for one in made],
            [(one.place, one.reason) for one in refused],
        )
        Image.fromarray(sheet).save(folder / OVERVIEW, quality=88)
    notes = [f"{one.given.place}: {note}" for one in made for note in one.notes]
    return Built(Suite(out, manifest), refused, notes)


def make_item(given: Given, detector: FaceDetector, settings: BuildSettings, folder: Path) -> Made | Refused:
    """Make a portrait or a clip and write its files into the suite's folder. Raises OSError where that fails."""
    if not given.path.is_file():  # a link to nothing, or a pipe, which would be waited for
        return Refused(given.kind, given.place, "there is no file that can be read")
    make = make_portrait if given.kind == "portrait" else make_clip
    try:
        frames, motion, notes = make(InputFile("the file", given.path), detector, settings)
    except UserError as reason:
        return Refused(given.kind, given.place, " ".join(str(reason).split()))
    motion = replace(motion, source=given.place)
    shown = frames[np.linspace(0, len(frames) - 1, min(len(frames), SHOWN_FRAMES)).round().astype(int)]
    shown = np.concatenate([_small(frame) for frame in shown], axis=1)
    item: PortraitItem | ClipItem
    about: dict[str, Any] = {
        "name": given.name,
        "style": given.style,
        "licence": given.licence,
        "source": given.source,
    }
    if given.kind == "portrait":
        picture, landmarks = (folder / "portraits" / f"{given.name}{end}" for end in (".png", ".fyemotion"))
        Image.fromarray(frames[0]).save(picture)
        motion.save(landmarks)
        item = PortraitItem(
            **about,
            picture=SuiteFile.of(picture, folder),
            landmarks=SuiteFile.of(landmarks, folder),
        )
        content = item.picture.sha256
    else:
        clip, moves = (folder / "clips" / f"{given.name}{end}" for end in (".mkv", ".fyemotion"))
        write_lossless(clip, frames, motion.frame_rate)
        motion.save(moves)
        footage = Footage(
            clip=SuiteFile.of(clip, folder),
            motion=SuiteFile.of(moves, folder),
            frames=len(frames),
            frame_rate=motion.frame_rate,
        )
        item = ClipItem(**about, expression=given.expression, footage=footage)
        content = footage.clip.sha256
    return Made(given, item, shown, motion.points[0] * (SHOWN_SIDE / settings.size), content, notes)


def make_portrait(
    file: InputFile, detector: FaceDetector, settings: BuildSettings
) -> tuple[np.ndarray, Motion, tuple[str, ...]]:
    """A portrait's square as uint8 (1, S, S, 3), its landmarks as a motion of one frame, and notes for the user.

    Raises UserError where the picture, or the face in it, cannot be used.
    """
    found = find_portrait(detector, as_layers(file, "the file"), "the file")
    landmarks = found.faces[found.largest - 1]
    if landmarks.doubtful:
        raise FaceNotFound("what was found may be no face, or one whose landmarks cannot be trusted")
    size = landmarks.size
    square = square_around(landmarks.points[None], size, settings.size)
    picture = square.cut(found.picture, settings.size)
    motion = Motion(
        landmarks=in_square(landmarks.normalised[None], size, square),
        timestamps=np.zeros(1),
        frame_rate=25.0,
        size=(settings.size, settings.size),
        source=str(file),
        found=np.ones(1, bool),
    )
    if share_inside(motion.landmarks)[0] < WHOLE:
        raise PictureError("its face reaches out of the picture, or out of a square in it")
    _check_alone(detector, found.picture, square)
    return picture[None], motion, found.notes([found.largest])


def make_clip(
    file: InputFile, detector: FaceDetector, settings: BuildSettings
) -> tuple[np.ndarray, Motion, tuple[str, ...]]:
    """A clip's squares as uint8 (T, S, S, 3), all cut at one place, its motion as a user's driving clip is tracked, and
    notes for the user.

    Raises UserError where the clip, or the face in it, cannot be used.
    """
    with ClipReader(file) as whole:
        if whole.info.frames < LEAST_FRAMES:
            raise ClipError(
                f"it is too short: {whole.info.frames} frames, at least {LEAST_FRAMES} are needed"
            )
        part = ClipRange(duration=settings.frames / generated_rate(whole.info.frame_rate))
    tracked = track_file(file, detector, clip_range=part)
    motion = tracked.motion[: settings.frames]
    if tracked.damage is not None:
        raise ClipError(f"it is damaged: {tracked.damage}")
    if tracked.gaps is not None and tracked.gaps.doubtful:
        raise FaceNotFound("what was found may be no face, or one whose landmarks cannot be trusted")
    if len(motion) < LEAST_FRAMES:
        raise ClipError(f"it is too short: {len(motion)} frames, at least {LEAST_FRAMES} are needed")
    if cuts := find_cuts(motion.points, motion.found):
        at = motion.timestamps[cuts[0]] - motion.timestamps[0]
        raise ClipError(f"the scene changes after {at:.2f} s; divide it there")
    square = square_around(motion.points, motion.size, settings.size)
    landmarks = in_square(motion.landmarks, motion.size, square)
    seen = motion.found & (share_inside(landmarks) >= WHOLE)
    if not seen[0]:
        raise FaceNotFound("its first frame, the reference, shows no whole face; let it begin where it does")
    if (missing := int((~seen).sum())) > MOST_MISSING * len(seen):
        raise FaceNotFound(f"{missing} of its {len(seen)} frames show no whole face")
    with ClipReader(file, part, motion.frame_rate) as clip:
        upright = (np.ascontiguousarray(np.rot90(picture, motion.quarter_turns)) for _, picture in clip)
        first = next(upright)
        _check_alone(detector, first, square)
        frames = [square.cut(picture, settings.size) for picture in islice(upright, len(motion) - 1)]
    motion = replace(
        motion,
        landmarks=landmarks,
        timestamps=motion.timestamps - motion.timestamps[0],
        size=(settings.size, settings.size),
        quarter_turns=0,
    )
    return np.stack([square.cut(first, settings.size), *frames]), motion, tracked.notes


def square_around(points: np.ndarray, size: tuple[int, int], side: int) -> Crop:
    """The square around a face in all frames, points (T, 478, 2) in pixels of pictures of `size` (width, height), as
    `face_crop` frames it, but within the picture, so that no pixel is invented.

    Raises PictureError where it has too few pixels to be cut at `side`, or the face would be too small in it.
    """
    wanted = face_crop(points)
    width, height = size
    edge = min(wanted.side, width, height)
    square = Crop(
        float(np.clip(wanted.x + (wanted.side - edge) / 2, 0, width - edge)),
        float(np.clip(wanted.y + (wanted.side - edge) / 2, 0, height - edge)),
        float(edge),
    )
    if edge * MOST_ENLARGED < side:
        raise PictureError(
            f"its face is too small: the square around it has {edge:.0f} pixels a side, at least {side / MOST_ENLARGED:.0f} are needed"
        )
    face = float(np.median(np.ptp(points, axis=1).max(axis=-1)))
    if face < LEAST_FACE * edge:
        raise PictureError(
            "its face moves so far that it is too small in a square that holds all of its places"
        )
    return square


def in_square(landmarks: np.ndarray, size: tuple[int, int], square: Crop) -> np.ndarray:
    """Normalised landmarks (T, 478, 3) of pictures of `size` as those of a square cut out of them, float32."""
    width, height = size
    pixels = np.asarray(landmarks, np.float64) * (width, height, width)
    return ((pixels - (square.x, square.y, 0.0)) / square.side).astype(np.float32)


def share_inside(landmarks: np.ndarray) -> np.ndarray:
    """Of normalised landmarks (T, 478, 3), the share (T,) of the mesh that lies inside the picture."""
    mesh = landmarks[:, :N_MESH, :2]
    inside: np.ndarray = ((mesh >= 0) & (mesh <= 1)).all(axis=-1).mean(axis=1)
    return inside


def cross_pairs(portraits: Sequence[str], clips: Sequence[str], each: int | None) -> list[PairItem]:
    """Pairs of portraits and clips by name: every portrait with `each` clips, or with all, taken in turns so that all
    clips are used equally often."""
    each = len(clips) if each is None else min(each, len(clips))
    turns = [
        (portrait, clips[(number * each + turn) % len(clips)])
        for number, portrait in enumerate(portraits)
        for turn in range(each)
    ]
    # No item's name has two dashes in a row.
    return [PairItem(name=f"{portrait}--{clip}", clip=clip, portrait=portrait) for portrait, clip in turns]


def _check_alone(detector: FaceDetector, picture: np.ndarray, square: Crop) -> None:
    """Raise PictureError where a second face is in the square, or so near that part of it is."""
    more = (NEIGHBOURHOOD - 1) * square.side / 2
    around = Crop(square.x - more, square.y - more, NEIGHBOURHOOD * square.side)
    if detector.count(around.cut(picture, SEARCH_SIZE)) > 1:
        raise PictureError("it shows several faces close together; cut it so that one is left")


def _without_copies(outcomes: Sequence[Made | Refused], refused: list[Refused], folder: Path) -> list[Made]:
    """What was made, but for items whose pixels are those of an earlier one; they are added to the `refused`, as are
    the others, and their files removed."""
    made: dict[str, Made] = {}
    for one in outcomes:
        if isinstance(one, Refused):
            refused.append(one)
        elif one.content in made:
            same = made[one.content].given.place
            refused.append(
                Refused(one.given.kind, one.given.place, f"it is the same {one.given.kind} as {same}")
            )
            for path in (folder / f"{one.given.kind}s").glob(f"{one.given.name}.*"):
                path.unlink()
        else:
            made[one.content] = one
    return list(made.values())


def _check_enough(made: Sequence[Made], with_portraits: bool, refused: list[Refused]) -> None:
    for kind, needed in (("clip", True), ("portrait", with_portraits)):
        if needed and not any(one.given.kind == kind for one in made):
            first = next((f": {one.place}: {one.reason}" for one in refused if one.kind == kind), "")
            count = sum(one.kind == kind for one in refused)
            why = f"{count} refused{first}" if count else "there is none"
            raise NothingAccepted(
                f"No {kind} can be used ({why}). A suite needs one face that moves.", refused
            )


def _manifest(made: Sequence[Made], settings: BuildSettings, name: str) -> Manifest:
    portraits = [one.item for one in made if isinstance(one.item, PortraitItem)]
    clips = [one.item for one in made if isinstance(one.item, ClipItem)]
    own = [PairItem(name=clip.name, clip=clip.name) for clip in clips]
    cross = cross_pairs([one.name for one in portraits], [one.name for one in clips], settings.cross)
    return Manifest(
        name=name,
        about=f"Squares cut around the faces of {len(portraits)} portraits and {len(clips)} clips.",
        size=settings.size,
        portraits=portraits,
        clips=clips,
        pairs=own + cross,
    )


def _write_refused(path: Path, refused: Sequence[Refused]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["kind", "file", "reason"])
        rows.writerows([one.kind, one.place, one.reason] for one in refused)


def _label(given: Given) -> str:
    return given.expression or given.style


def _small(frame: np.ndarray) -> np.ndarray:
    small = Image.fromarray(frame).resize((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.BOX)
    return np.asarray(small)
