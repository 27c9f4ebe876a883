"""Where models that were fetched or converted are kept, on every platform."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The environment variable `FYE_HOME`, or else `followyouremoji` in the platform's own cache folder."""
    home = os.environ.get("FYE_HOME")
    if home:
        return Path(home).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "followyouremoji"


def face_landmarker_file() -> Path:
    """Where Google's face-landmarker task bundle lies once it is fetched."""
    return cache_folder() / "face_landmarker.task"


def small_decoder_file() -> Path:
    """Where TAESD, the small decoder of Stable Diffusion's latents, lies once it is fetched."""
    return cache_folder() / "taesd.safetensors"
