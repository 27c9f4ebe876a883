"""What each kind of clip can hold, what players take of it and what room it needs, before a frame is made."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Size = tuple[int, int]
"""(width, height) in pixels."""

SoundCodec = Literal["aac", "opus"]


@dataclass(frozen=True)
class Kind:
    """What one kind of output can hold.

    Attributes
    ----------
    largest_side : pixels; None where there is no bound.
    transparent : whether frames keep their opacity.
    sound : what sound beside the frames is encoded as; None where there is none.
    bytes_a_pixel : that a frame takes while the file is made, for a generous estimate: several times as many as of a
        portrait that moves before a still background.
    """

    largest_side: int | None
    transparent: bool
    sound: SoundCodec | None
    bytes_a_pixel: float


# x264's bound, in which a GIF's frames wait too, and WebP's; of the others by what has been tried.
KINDS = {
    ".mp4": Kind(16_384, False, "aac", 0.05),
    ".webm": Kind(16_384, True, "opus", 0.05),
    ".gif": Kind(16_384, True, None, 2.0),
    ".webp": Kind(16_383, True, None, 0.1),
    ".apng": Kind(16_384, True, None, 2.0),
    "": Kind(None, True, None, 2.5),
}
"""By the ending of a clip's name; "" is a folder of PNGs."""

CLIP_ENDINGS = tuple(ending for ending in KINDS if ending)

VIDEO_ENDINGS = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv"),
    *(".3gp", ".gif"),
)
PHOTO_ENDINGS = (
    *(".jpg", ".jpeg", ".png", ".apng", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"),
    ".gif",
)
"""By which videos and pictures are known among the other files of a folder. A file that is named itself may have any
other ending."""

FRAME_NAME = "frame_{:06d}.png"
"""In a folder of PNGs, by the frame's number."""

MACROBLOCK = 16  # pixels a side
LEVEL_51_FRAME = 36_864  # macroblocks, "MaxFS" of level 5.1 (ITU-T H.264, Table A-1)
LEVEL_51_SECOND = 983_040  # macroblocks, "MaxMBPS" there
PLAYED_SIDE = (
    4096  # pixels, what decoders in phones and graphics cards stop at, though the level allows longer sides
)


def clip_ending(path: Path) -> str:
    """The ending of `path` by which its kind of output is known, in small letters; "" for a folder that exists."""
    return "" if path.is_dir() else path.suffix.lower()


def is_frame(name: str) -> bool:
    """Whether a file of this name can be a frame in a folder of PNGs."""
    return re.fullmatch(r"frame_\d{6,}\.png", name) is not None


def macroblocks(size: Size) -> int:
    """Blocks of 16x16 pixels that H.264 needs for a picture."""
    width, height = size
    return math.ceil(width / MACROBLOCK) * math.ceil(height / MACROBLOCK)


def level_bound(frame_rate: float) -> int:
    """Macroblocks a picture that H.264 level 5.1 allows at `frame_rate` frames a second."""
    return min(LEVEL_51_FRAME, int(LEVEL_51_SECOND / frame_rate))


def fitting_size(size: Size, ending: str, frame_rate: float, max_side: int | None = None) -> Size:
    """The size, of the same shape, that pictures of `size` may have in a clip with that ending.

    With `max_side` (pixels) its longer side is at most that. Without, an MP4 is one that common players take: of H.264
    level 5.1, sides of at most `PLAYED_SIDE`; other kinds are not bounded. A size that is within bounds comes back as
    it is; others become the largest even sides that are, whose ratio is the same but for their rounding.
    """
    most = math.inf
    if max_side is None:
        if ending != ".mp4":
            return size
        max_side, most = PLAYED_SIDE, level_bound(frame_rate)
    if max(size) <= max_side and macroblocks(size) <= most:
        return size
    width, height = size
    ratio = min(size) / max(size)
    longer = min(max_side, math.isqrt(int(min(most * MACROBLOCK**2, width * height) / ratio)))
    longer -= longer % 2
    while True:
        shorter = max(2, 2 * round(longer * ratio / 2))
        found = (longer, shorter) if width >= height else (shorter, longer)
        if macroblocks(found) <= most or longer <= 2:
            return found
        longer -= 2


def expected_bytes(size: Size, frames: int, ending: str, transparent: bool = False) -> int:
    """How much room a clip may take while it is made: a generous estimate."""
    width, height = size
    channels = 4 / 3 if transparent else 1.0
    return round(width * height * frames * KINDS[ending].bytes_a_pixel * channels)
