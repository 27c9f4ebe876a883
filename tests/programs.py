"""Programs that tests start, and the clips that they make."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from followyouremoji.media.clips import ClipReader


def environment() -> dict[str, str]:
    """Of a program that imports what the test does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def frames_of(path: Path | str) -> np.ndarray:
    """(T, height, width, 3) int of a clip."""
    with ClipReader(Path(path)) as clip:
        return np.stack([picture for _, picture in clip]).astype(int)
