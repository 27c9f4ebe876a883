"""What is written, where, and how large: all of it checked before the work starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from followyouremoji.apps.driving import Driving
from followyouremoji.apps.output import check_output
from followyouremoji.errors import ClipError
from followyouremoji.files import check_room
from followyouremoji.media.kinds import CLIP_ENDINGS, KINDS, Size, clip_ending, expected_bytes, fitting_size
from followyouremoji.media.pictures import (
    BACKGROUND,
    PICTURE_ENDINGS,
    TRANSPARENT_ENDINGS,
    Colour,
    on_background,
    resize_picture,
    side_by_side,
)
from followyouremoji.preparation import Prepared

TALLEST_ROW = 1024  # pixels; beside each other, pictures of a phone's camera would be wider than clips can be
WIDEST_DRIVING = 16 / 9  # its usual width over its height, for an estimate


@dataclass(frozen=True)
class Output:
    """What is written, and where.

    Attributes
    ----------
    path : None: a name made of both inputs' names, in the current folder.
    side_by_side : the driving, landmarks and portrait in a row with the result.
    max_side : pixels of the longer side; None: what common players take, see `fitting_size`.
    background : what a transparent portrait is laid on; None: it stays transparent, or lies on white where the output
        cannot be.
    """

    path: Path | None = None
    side_by_side: bool = False
    sound: bool = True
    overwrite: bool = False
    max_side: int | None = None
    background: Colour | None = None

    def named(self, portrait: Path, driving: Driving) -> Path:
        """The path to write."""
        ending = PICTURE_ENDINGS[0] if driving.expected_frames == 1 else CLIP_ENDINGS[0]
        return self.path or Path(f"{portrait.stem}_{driving.path.stem}{ending}")

    def described(self, path: Path) -> dict[str, str | bool]:
        """What a job notes of its result."""
        described: dict[str, str | bool] = {
            "output": str(path.resolve()),
            "side_by_side": self.side_by_side,
            "sound": self.sound,
        }
        for name in ("background", "max_side"):
            if (value := getattr(self, name)) is not None:
                described[name] = str(value)
        return described

    def check(self, path: Path, driving: Driving) -> None:
        """Raise ClipError where `path` cannot be written."""
        one_frame = driving.expected_frames == 1
        endings = (*PICTURE_ENDINGS, *CLIP_ENDINGS, "") if one_frame else (*CLIP_ENDINGS, "")
        if not one_frame and path.suffix.lower() in set(PICTURE_ENDINGS) - set(CLIP_ENDINGS):
            raise ClipError(
                f"{path} is a picture's name, but {driving.path} has many frames: give a name that ends in "
                f"{', '.join(CLIP_ENDINGS)}, or one frame with --start and --stop"
            )
        check_output(path, tuple(dict.fromkeys(endings)), self.overwrite, ClipError, "the result")

    def check_room(self, path: Path, picture: np.ndarray, driving: Driving) -> None:
        """Raise ClipError where the disk of `path` has no room for the frames that the portrait `picture` will give."""
        if clip_ending(path) not in KINDS:
            return
        height, width = picture.shape[:2]
        if self.side_by_side:
            tall = min(height, TALLEST_ROW)
            height, width = tall, round(tall * (WIDEST_DRIVING + 1 + 2 * width / height))
        frames, transparent = driving.expected_frames, picture.shape[2] == 4
        check_room(path, expected_bytes((width, height), frames, clip_ending(path), transparent), ClipError)

    def fitting(self, path: Path, size: Size, frame_rate: float) -> Size:
        """The size that frames of `size` get."""
        return fitting_size(size, clip_ending(path), frame_rate, self.max_side)

    def portrait(self, layers: np.ndarray, path: Path, frame_rate: float) -> np.ndarray:
        """A portrait uint8 (height, width, 3 or 4) as the work is done on it: no larger than the output may be, and
        opaque where opacity would come to nothing."""
        ending = clip_ending(path)
        kept = ending in TRANSPARENT_ENDINGS or (ending in KINDS and KINDS[ending].transparent)
        if self.background is None and (self.side_by_side or not kept):
            layers = on_background(layers)
        return resize_picture(layers, self.fitting(path, (layers.shape[1], layers.shape[0]), frame_rate))

    def note_on_bound(self, portrait: Path, path: Path, scaled: str, frame_rate: float) -> str:
        """The sentence that says that a portrait was `scaled` to that many pixels, and why."""
        if self.max_side is not None:
            return f"Note: {portrait} is scaled to {scaled} pixels, as --max-side {self.max_side} asks."
        return (
            f"Note: {portrait} is scaled to {scaled} pixels, the most that common players take of an MP4 at {frame_rate:g} frames a second "
            "(H.264 level 5.1); --max-side sets another bound."
        )


def rows_beside(
    driving: Driving, prepared: Prepared, results: Iterator[np.ndarray], background: Colour = BACKGROUND
) -> Iterator[np.ndarray]:
    """Driving frame, landmarks, portrait and result, on a `background`, in a row, for every frame."""
    for index, (picture, result) in enumerate(zip(driving.pictures(prepared.motion), results, strict=False)):
        yield row(picture, index, on_background(result, background), prepared)


def row(picture: np.ndarray, index: int, result: np.ndarray, prepared: Prepared) -> np.ndarray:
    """A driving frame, its landmarks, the portrait and the result, uint8 (h, w, 3) each, at the result's height or
    less."""
    tiles = [picture, prepared.landmark_picture(index), prepared.still, result]
    return side_by_side(tiles, height=min(result.shape[0], TALLEST_ROW))


def row_size(driving: Driving, prepared: Prepared) -> Size:
    """(width, height) of the rows, known before a frame is generated."""
    width, height = prepared.output_size
    blank = np.zeros((height, width, 3), np.uint8)
    first = row(next(driving.pictures(prepared.motion)), 0, blank, prepared)
    return first.shape[1], first.shape[0]
