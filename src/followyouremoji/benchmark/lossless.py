"""Clips without loss: FFV1 in Matroska, whose pixels come back as they were, and whose bytes are the same at each
writing."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from followyouremoji.errors import ClipError
from followyouremoji.files import atomic
from followyouremoji.media.videos import add_pictures, opened_for_writing, video_frame

LOSSLESS_ENDING = ".mkv"
LAYOUT = "bgr0"
"""FFmpeg's name of RGB in one plane of 32 bits, which FFV1 keeps as it is: no conversion to brightness and colour."""
OPTIONS = {"level": "3", "coder": "1", "g": "1", "slices": "4", "slicecrc": "1", "threads": "1"}
"""FFV1 version 3, each frame on its own and with a checksum. One thread: always the same bytes."""


def write_lossless(path: Path, frames: Iterable[np.ndarray], frame_rate: float) -> int:
    """Write pictures uint8 (height, width, 3), all of one size, as a lossless clip; whole or not at all, and in place
    of a file that is there.

    Returns how many they are. Raises ClipError where there is none or it cannot be written.
    """
    rate = Fraction(frame_rate).limit_denominator(1001)
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ClipError(f"cannot write {path}: there are no frames")
    import av

    count = 0
    try:
        with atomic(path) as temporary:
            # Without bitexact Matroska holds a random number and the versions of the libraries.
            container = opened_for_writing(temporary, "matroska", fflags="+bitexact")
            with container:
                size = (first.shape[1], first.shape[0])
                stream = add_pictures(container, "ffv1", rate, size, LAYOUT, OPTIONS | {"flags": "+bitexact"})
                for picture in chain([first], pictures):
                    frame = video_frame(picture, count, rate).reformat(format=LAYOUT)
                    container.mux(stream.encode(frame))
                    count += 1
                container.mux(stream.encode(None))
    except (OSError, av.error.FFmpegError) as reason:
        words = getattr(reason, "strerror", None) or str(reason)
        raise ClipError(f"cannot write {path}: {words}; see that the disc has room") from reason
    return count
