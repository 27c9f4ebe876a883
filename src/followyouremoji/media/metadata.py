"""What files say about themselves in words: comments, text chunks, XMP packets and tags, whoever wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from followyouremoji.errors import ClipError, first_line
from followyouremoji.media.decoding import is_picture
from followyouremoji.media.inputs import InputFile, InputSource
from followyouremoji.media.packets import open_container
from followyouremoji.media.pictures import DECODING_ERRORS, open_image
from followyouremoji.provenance.record import Record, find_record

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_TEXTS, MOST_CHARACTERS = 100, 200_000  # of a file, and of each text, that are read
_VIDEO_TYPES = {"mp4": "video/mp4", "webm": "video/webm"}


@dataclass(frozen=True)
class Metadata:
    """A file's MIME type, by its content, and its texts in no order; "" where FFmpeg reads a type without a name."""

    mime: str
    texts: tuple[str, ...]

    @property
    def record(self) -> Record | None:
        """This project's record in them; None where there is none."""
        return next((found for text in self.texts if (found := find_record(text)) is not None), None)


def read_metadata(source: InputSource) -> Metadata:
    """The texts in a picture or a clip, of which nothing is decoded. Raises ClipError where it is neither."""
    file = InputFile.of(source, ClipError, "a picture or a clip", "the file")
    if is_picture(file):
        try:
            with open_image(file, ClipError) as image:
                return Metadata(Image.MIME.get(image.format or "", ""), _bounded(_picture_texts(image)))
        except DECODING_ERRORS as reason:
            raise ClipError(f"{file} is damaged and cannot be read ({first_line(reason)})") from reason
    with open_container(file) as container:
        names = container.format.name.split(",")
        mime = next((kind for name, kind in _VIDEO_TYPES.items() if name in names), "")
        tags = [container.metadata, *(stream.metadata for stream in container.streams)]
        return Metadata(mime, _bounded(text for one in tags for text in one.values()))


def _picture_texts(image: Image.Image) -> Iterator[str]:
    for value in image.info.values():
        if isinstance(value, bytes):
            yield value[:MOST_CHARACTERS].decode("utf-8", "replace")
        elif isinstance(value, str):
            yield str(value)


def _bounded(texts: Iterator[str]) -> tuple[str, ...]:
    return tuple(text[:MOST_CHARACTERS] for text, _ in zip(texts, range(MOST_TEXTS), strict=False))
