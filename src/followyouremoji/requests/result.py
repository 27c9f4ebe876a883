"""What is written, where, and how large: all of it checked before the work starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from followyouremoji.errors import ClipError, UserError
from followyouremoji.files import AtomicOutput, check_room
from followyouremoji.media.kinds import (
    CLIP_ENDINGS,
    KINDS,
    Size,
    clip_ending,
    expected_bytes,
    fitting_size,
    is_frame,
)
from followyouremoji.media.pictures import (
    BACKGROUND,
    PICTURE_ENDINGS,
    TRANSPARENT_ENDINGS,
    Colour,
    colour,
    on_background,
    resize_picture,
    side_by_side,
)
from followyouremoji.prepared import PreparedGroup
from followyouremoji.requests.driving import Drivings
from followyouremoji.requests.events import Note
from followyouremoji.requests.request import Output

TALLEST_ROW = 1024  # pixels; beside each other, pictures of a phone's camera would be wider than clips can be
WIDEST_DRIVING = 16 / 9  # its usual width over its height, for an estimate


class Destination:
    """Where and how large a result will be, from what is asked for and the files that are read."""

    def __init__(self, output: Output, portrait: Path, drivings: Drivings) -> None:
        self.output, self.drivings = output, drivings
        ending = PICTURE_ENDINGS[0] if drivings.expected_frames == 1 else CLIP_ENDINGS[0]
        names = "_".join([portrait.stem, *(driving.path.stem for driving in drivings.files)])
        self.path = output.path or Path(f"{names}{ending}")
        self.background = None if output.background is None else colour(output.background)

    def described(self) -> dict[str, object]:
        """What a resume folder notes of its result."""
        described = TypeAdapter(Output).dump_python(self.output, mode="json", exclude={"overwrite"})
        return {**described, "path": str(self.path.resolve())}

    def check(self) -> None:
        """Raise ClipError where the path cannot be written."""
        path, one_frame = self.path, self.drivings.expected_frames == 1
        endings = (*PICTURE_ENDINGS, *CLIP_ENDINGS, "") if one_frame else (*CLIP_ENDINGS, "")
        if not one_frame and path.suffix.lower() in set(PICTURE_ENDINGS) - set(CLIP_ENDINGS):
            clip = next(driving.path for driving in self.drivings.files if driving.expected_frames > 1)
            raise ClipError(
                f"{path} is a picture's name, but {clip} has many frames: give a name that ends in "
                f"{', '.join(CLIP_ENDINGS)}, or use one frame",
                settings=("start", "stop"),
            )
        check_output(path, tuple(dict.fromkeys(endings)), self.output.overwrite, ClipError, "the result")

    def check_room(self, picture: np.ndarray) -> None:
        """Raise ClipError where the disk has no room for the frames that the portrait `picture` will give."""
        ending = clip_ending(self.path)
        if ending not in KINDS:
            return
        height, width = picture.shape[:2]
        if self.output.side_by_side:
            tall = min(height, TALLEST_ROW)
            height, width = (
                tall,
                round(tall * (len(self.drivings.files) * WIDEST_DRIVING + 1 + 2 * width / height)),
            )
        frames, transparent = self.drivings.expected_frames, picture.shape[2] == 4
        check_room(self.path, expected_bytes((width, height), frames, ending, transparent), ClipError)

    def fitting(self, size: Size) -> Size:
        """The size that frames of `size` get."""
        return fitting_size(size, clip_ending(self.path), self.drivings.frame_rate, self.output.max_side)

    def portrait(self, layers: np.ndarray) -> np.ndarray:
        """A portrait uint8 (height, width, 3 or 4) as the work is done on it: no larger than the output may be, and
        opaque where opacity would come to nothing."""
        ending = clip_ending(self.path)
        kept = ending in TRANSPARENT_ENDINGS or (ending in KINDS and KINDS[ending].transparent)
        if self.background is None and (self.output.side_by_side or not kept):
            layers = on_background(layers)
        return resize_picture(layers, self.fitting((layers.shape[1], layers.shape[0])))

    def note_on_bound(self, portrait: Path, scaled: str) -> Note:
        """Says that a portrait was `scaled` to that many pixels, and why."""
        why = "as the bound of the longer side asks"
        if self.output.max_side is None:
            why = (
                f"the most that common players take of an MP4 at {self.drivings.frame_rate:g} frames a second (H.264 level 5.1); "
                "another bound can be set"
            )
        return Note("portrait_scaled", f"{portrait} is scaled to {scaled} pixels, {why}.", ("max_side",))


def check_output(
    path: Path, endings: tuple[str, ...], overwrite: bool, error: type[UserError], what: str
) -> None:
    """Raise `error` if the output could not be written at the end of the work.

    An ending of "" stands for a folder. Something is written beside the output and removed, which is the one sure way
    to know that it can be.
    """
    ending = "" if path.is_dir() and "" in endings else path.suffix.lower()
    if ending not in endings:
        named = ", ".join(one or "nothing for a folder of PNGs" for one in endings)
        raise error(f"cannot write {what} to {path}: its name must end in {named}")
    with AtomicOutput(path, overwrite, error, is_frame if ending == "" else None):
        pass


def rows_beside(
    drivings: Drivings,
    prepared: PreparedGroup,
    results: Iterator[np.ndarray],
    background: Colour = BACKGROUND,
) -> Iterator[np.ndarray]:
    """Driving frames, landmarks, portrait and result, on a `background`, in a row, for every frame."""
    shown = zip(driving_pictures(drivings, prepared), results, strict=False)
    for index, (pictures, result) in enumerate(shown):
        yield row(pictures, index, on_background(result, background), prepared)


def driving_pictures(drivings: Drivings, prepared: PreparedGroup) -> Iterator[list[np.ndarray]]:
    """The frames of each driving, for every frame; the last one of a shorter driving again."""
    motions = {drivings.of(face.number): face.motion for face in prepared.faces}
    clips = [driving.pictures(motion) for driving, motion in motions.items()]
    latest: list[np.ndarray] = [next(clip) for clip in clips]
    for _ in range(len(prepared)):
        yield latest
        latest = [next(clip, before) for clip, before in zip(clips, latest, strict=True)]


def row(
    drivings: Sequence[np.ndarray], index: int, result: np.ndarray, prepared: PreparedGroup
) -> np.ndarray:
    """Driving frames, their landmarks, the portrait and the result, uint8 (h, w, 3) each, at the result's height or
    less."""
    tiles = [*drivings, prepared.landmark_picture(index), prepared.still, result]
    return side_by_side(tiles, height=min(result.shape[0], TALLEST_ROW))


def row_size(drivings: Drivings, prepared: PreparedGroup) -> Size:
    """(width, height) of the rows, known before a frame is generated."""
    width, height = prepared.output_size
    blank = np.zeros((height, width, 3), np.uint8)
    first = row(next(driving_pictures(drivings, prepared)), 0, blank, prepared)
    return first.shape[1], first.shape[0]
