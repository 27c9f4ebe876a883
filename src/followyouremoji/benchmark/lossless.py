"""Clips of suites: every pixel as it was, and the same bytes every time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from followyouremoji.media.videos import add_pictures, opened_for_writing, video_frame

LAYOUT = "bgr0"  # 8 bits of red, green and blue, which FFV1 keeps exactly
SLICES = "4"  # coded apart, with a checksum each


def write_lossless(path: Path, frames: np.ndarray, frame_rate: float) -> None:
    """Write frames uint8 (T, height, width, 3) as FFV1 in Matroska. Raises OSError where that cannot be written."""
    rate = Fraction(frame_rate).limit_denominator(1001)
    height, width = frames.shape[1:3]
    options = {"level": "3", "slices": SLICES, "slicecrc": "1", "threads": "1", "flags": "+bitexact"}
    with opened_for_writing(path, "matroska", fflags="+bitexact") as container:
        stream = add_pictures(container, "ffv1", rate, (width, height), LAYOUT, options)
        for index, frame in enumerate(frames):
            container.mux(stream.encode(video_frame(frame, index, rate).reformat(format=LAYOUT)))
        container.mux(stream.encode(None))
