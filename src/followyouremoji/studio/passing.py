"""Pictures that pass between a browser and the studio, and are not kept."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from followyouremoji.errors import PictureError
from followyouremoji.media.inputs import InputFile
from followyouremoji.media.pictures import DECODING_ERRORS, open_image

MOST_SIDE = 1280
"""Pixels of a camera's picture that is taken; the page sends 480."""

QUALITY = 90


def encoded(layers: np.ndarray) -> tuple[bytes, str]:
    """A picture uint8 (height, width, 3 or 4) for a browser, and its media type: JPEG, or WebP where it is transparent,
    in the way that takes the least time."""
    written = BytesIO()
    image = Image.fromarray(layers)
    if layers.shape[2] == 3:
        image.save(written, "JPEG", quality=QUALITY)
        return written.getvalue(), "image/jpeg"
    image.save(written, "WEBP", quality=QUALITY, method=0)
    return written.getvalue(), "image/webp"


def camera_picture(content: bytes) -> np.ndarray:
    """A JPEG as a browser makes it of its camera's picture: uint8 (height, width, 3).

    Raises PictureError for anything else, and for one of more than `MOST_SIDE` pixels a side, before it is decoded.
    """
    file = InputFile("the camera's picture", content=content)
    try:
        with open_image(file, PictureError, ("JPEG",)) as image:
            if max(image.size) > MOST_SIDE:
                width, height = image.size
                raise PictureError(f"{file} has {width}x{height} pixels; up to {MOST_SIDE} a side are taken")
            return np.asarray(image.convert("RGB"))  # a canvas gives neither a profile nor an orientation
    except UnidentifiedImageError as reason:
        raise PictureError(f"{file} is no JPEG") from reason
    except DECODING_ERRORS as reason:
        raise PictureError(f"{file} is damaged") from reason
