"""One encoder for each kind of output: frames in one by one, a file or a folder out, marked as generated.

An encoder owns the path that it is given, and the folder that this lies in, both temporary; `ClipWriter` moves the file
into place.
"""

from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from followyouremoji.media.animations import ApngEncoder, GifEncoder, WebpEncoder
from followyouremoji.media.kinds import FRAME_NAME, Size
from followyouremoji.media.pictures import save_image
from followyouremoji.media.sound import SoundTrack
from followyouremoji.media.videos import mp4_encoder, webm_encoder


class Encoder(Protocol):
    """Takes uint8 pictures in order, (height, width, 4) where it was opened for transparent ones and else (height,
    width, 3); then `finish()`, and `close()` in every case."""

    def write(self, picture: np.ndarray) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class PngFolderEncoder:
    """A folder of frame_000000.png and so on."""

    def __init__(self, path: Path, comment: str) -> None:
        self._path, self._comment = path, comment
        self._count = 0
        path.mkdir()

    def write(self, picture: np.ndarray) -> None:
        save_image(self._path / FRAME_NAME.format(self._count), picture, self._comment)
        self._count += 1

    def finish(self) -> None:
        pass

    def close(self) -> None:
        pass


def open_encoder(
    path: Path,
    ending: str,
    rate: Fraction,
    size: Size,
    sound: SoundTrack | None,
    comment: str,
    transparent: bool = False,
) -> Encoder:
    """The encoder for an output's ending, one of `KINDS`; `transparent` only where its kind is."""
    match ending:
        case ".mp4":
            return mp4_encoder(path, rate, size, sound, comment)
        case ".webm":
            return webm_encoder(path, rate, size, sound, comment, transparent)
        case ".gif":
            return GifEncoder(path, rate, size, comment, transparent)
        case ".webp":
            return WebpEncoder(path, rate, size, comment, transparent)
        case ".apng":
            return ApngEncoder(path, rate, size, comment, transparent)
    return PngFolderEncoder(path, comment)
