"""How much of a stranger's file is taken, judged by its header: before one of its pictures is decoded. Of a picture up
to so many `megapixels`."""

from __future__ import annotations

from contextlib import suppress

from PIL import UnidentifiedImageError

from followyouremoji.errors import ClipError, MotionError, PictureError, UserError
from followyouremoji.face.motion import Motion
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.decoding import ANIMATION_FORMATS
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.pictures import DECODING_ERRORS, open_image
from followyouremoji.media.ranges import ClipRange
from followyouremoji.media.timing import generated_rate

PICTURES = ("PNG", "JPEG", "MPO", "WEBP", "GIF", "AVIF", "HEIF", "TIFF", "BMP", "PPM")
"""Kinds that are taken: what phones, cameras and browsers write."""

MOST_FRAMES = 30_000
MOST_DECODED = 50_000_000_000
"""Pixels of all frames together: 100 s of 4K at 60 frames a second."""


def check_picture(file: InputFile, megapixels: int) -> None:
    """Raise PictureError for a portrait that is not taken; what is no picture, or damaged, is left to who reads it."""
    with suppress(UnidentifiedImageError, *DECODING_ERRORS), open_image(file, PictureError) as image:
        if image.format not in PICTURES:
            raise PictureError(
                f"{file} is of the kind {image.format}, which is not taken; give a PNG, JPEG or WebP"
            )
        _check_size(file, image.size, megapixels, PictureError)


def check_clip(file: InputFile, kept: ClipRange, megapixels: int) -> None:
    """Raise ClipError for a driving that is not taken, of which the part `kept` would be used."""
    with suppress(UnidentifiedImageError, *DECODING_ERRORS), open_image(file, ClipError) as image:
        if image.format not in PICTURES:
            raise ClipError(f"{file} is of the kind {image.format}, which is not taken; give an MP4 or a GIF")
        _check_size(file, image.size, megapixels, ClipError)
        if image.format in ANIMATION_FORMATS:  # all of whose frames are decoded to know their times
            _check_frames(file, image.size, getattr(image, "n_frames", 1))
    with ClipReader(file, kept) as clip:
        _check_size(file, clip.info.size, megapixels, ClipError)
        _check_frames(file, clip.info.size, clip.span.after - clip.span.first)


def check_motion(name: str, motion: Motion, frame_rate: float | None) -> None:
    """Raise MotionError for a motion that is not taken, before its poses are made at a rate, by default its own."""
    rate = generated_rate(motion.frame_rate, frame_rate)
    if motion.duration * rate > MOST_FRAMES:
        raise MotionError(
            f"{name} lasts {motion.duration:.0f} s, too long for {rate:g} frames a second here: up to {MOST_FRAMES} frames are taken",
            settings=["frame_rate"],
        )


def _check_size(file: InputFile, size: tuple[int, int], megapixels: int, error: type[UserError]) -> None:
    width, height = size
    if width * height > megapixels * 1_000_000:
        raise error(
            f"{file} has {width}x{height} pixels; up to {megapixels} megapixels are taken here: scale it down"
        )


def _check_frames(file: InputFile, size: tuple[int, int], frames: int) -> None:
    width, height = size
    if frames > min(MOST_FRAMES, MOST_DECODED // (width * height)):
        raise ClipError(
            f"{file} has {frames} frames of {width}x{height} pixels, which is more than is taken here: scale it down or cut it"
        )
