"""Readers of pictures and clips: `followyouremoji.media`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from followyouremoji.errors import ClipError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.metadata import read_metadata
from followyouremoji.media.pictures import read_layers
from followyouremoji.media.sound import open_sound

from .media_mutations import mutated
from .media_seeds import clips, pictures
from .reader import Reader

MOST_LOOKED_AT = 100  # frames of a clip


def read_clip(content: bytes) -> None:
    """Its own frames, then those of a constant rate."""
    for rate in (None, 25.0):
        with ClipReader(content, frame_rate=rate) as clip:
            for _ in islice(clip, MOST_LOOKED_AT):
                pass
            assert clip.expected_frames >= 1
            assert all(note.isprintable() for note in (*clip.notes, clip.damage or ""))


def read_sound(content: bytes) -> None:
    sound = open_sound(InputFile.of(content, ClipError, "a clip", "the clip"), 0.0)
    if sound is not None:
        sound.close()


def all_seeds() -> Iterator[bytes]:
    yield from pictures()
    yield from clips()


READERS = (
    Reader("media/picture", pictures, read_layers, memory=600, mutate=mutated),
    Reader("media/clip", all_seeds, read_clip, memory=600, seconds=20.0, mutate=mutated),
    Reader("media/metadata", all_seeds, lambda content: read_metadata(content).record, mutate=mutated),
    Reader("media/sound", clips, read_sound, memory=600, mutate=mutated),
)
"""Of memory, as much as a picture near the largest takes while it is read."""
