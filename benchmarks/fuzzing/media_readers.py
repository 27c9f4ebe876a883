"""How the project reads pictures and clips, as functions of a file's content; each raises UserError for what cannot be
read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from followyouremoji.errors import UserError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.pictures import read_layers
from followyouremoji.media.sound import open_sound

MOST_LOOKED_AT = 100  # frames of a clip


def read_picture(path: Path) -> None:
    read_layers(path)


def read_clip(path: Path) -> None:
    """Its own frames, then a part of it at a rate of its own."""
    with ClipReader(path) as clip:
        for _ in islice(clip, MOST_LOOKED_AT):
            pass
        clip.info, clip.notes, clip.damage, clip.expected_frames
    with ClipReader(path, frame_rate=25.0) as clip:
        for _ in islice(clip, MOST_LOOKED_AT):
            pass


def read_sound(path: Path) -> None:
    sound = open_sound(InputFile.of(path, UserError, "a clip", "the clip"), 0.0)
    if sound is not None:
        sound.close()


READERS: dict[str, Callable[[Path], None]] = {"picture": read_picture, "clip": read_clip, "sound": read_sound}
