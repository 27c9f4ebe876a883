"""Decoded frames as pictures: upright, with square pixels, of the clip's size, in ordinary colours, on white."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from followyouremoji.media.colour import HDR_TRANSFERS, ToneMap
from followyouremoji.media.pictures import on_background, resize_picture

if TYPE_CHECKING:
    import av

_UNSPECIFIED = 2  # ITU-T H.273, matrix coefficients
_STANDARD_HEIGHT = 576  # of standard definition
_SAME_SHAPE = 2  # pixels by which a picture of the same shape may miss another size
_NAMED_PROFILES = ("png", "apng")
"""Codecs that name the colour profile beside a frame. PyAV frees the name twice where it gives what is beside one."""

Matrix = tuple[int, int, int, int]
"""The turning and mirroring part (a, b, c, d) of the display matrix that phones write beside their frames: source
(p, q) is shown at (a p + c q, b p + d q)."""
UPRIGHT: Matrix = (1, 0, 0, 1)


def display_matrix(frame: "av.VideoFrame", codec: str) -> Matrix:
    """How a frame of a stream, coded by `codec` as FFmpeg names it, is turned and mirrored when it is shown."""
    if codec not in _NAMED_PROFILES:
        try:
            side_data = frame.side_data.get("DISPLAYMATRIX")
        except (
            ValueError
        ):  # PyAV knows one of them not, such as the EXIF of cameras' motion JPEG, and gives none
            pass
        else:
            if side_data is None:
                return UPRIGHT
            matrix = np.frombuffer(bytes(cast(Any, side_data)), dtype=np.int32).reshape(3, 3)[:2, :2]
            a, b, c, d = (int(value) for value in matrix.ravel())
            return a, b, c, d
    return (UPRIGHT, (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))[round(frame.rotation / 90) % 4]


def _lies(matrix: Matrix) -> bool:
    """Whether a frame is shown with its rows upright."""
    a, b, c, d = matrix
    return abs(a) + abs(d) < abs(b) + abs(c)


def _turn(picture: np.ndarray, matrix: Matrix) -> np.ndarray:
    """A picture as a display matrix wants it shown; only quarter turns and mirrorings are followed."""
    a, b, c, d = matrix
    if _lies(matrix):
        picture = picture.transpose(1, 0, 2)
        mirrored_across, mirrored_down = c < 0, b < 0
    else:
        mirrored_across, mirrored_down = a < 0, d < 0
    if mirrored_across:
        picture = picture[:, ::-1]
    if mirrored_down:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def shown_size(frame: "av.VideoFrame", matrix: Matrix, pixel_aspect: float) -> tuple[int, int]:
    """The (width, height) at which a frame shows upright, with square pixels, without loss."""
    width, height = frame.width, frame.height
    if pixel_aspect > 1.0:
        width = round(width * pixel_aspect)
    else:
        height = round(height / pixel_aspect)
    return (height, width) if _lies(matrix) else (width, height)


def fitted(own: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The (width, height) at which a picture of size `own` fits into `size`, which it fills if it has that shape."""
    scale = min(size[0] / own[0], size[1] / own[1])
    width, height = round(own[0] * scale), round(own[1] * scale)
    if max(size[0] - width, size[1] - height) <= _SAME_SHAPE:
        return size
    return max(1, width), max(1, height)


def frame_picture(
    frame: "av.VideoFrame", matrix: Matrix, fitted: tuple[int, int], size: tuple[int, int], tones: ToneMap
) -> np.ndarray:
    """A decoded frame as RGB, upright, scaled to `fitted`, with bars around it to `size`, on white where it is
    transparent."""
    width, height = reversed(fitted) if _lies(matrix) else fitted
    picture = _turn(_in_colour(frame, width, height, tones), matrix)
    if fitted == size:
        return picture
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2
    canvas[top : top + fitted[1], left : left + fitted[0]] = picture
    return canvas


def _in_colour(frame: "av.VideoFrame", width: int, height: int, tones: ToneMap) -> np.ndarray:
    if any(component.is_alpha for component in frame.format.components):
        return on_background(frame.reformat(width, height, format="rgba").to_ndarray())
    if frame.color_trc in HDR_TRANSFERS:
        return resize_picture(tones.picture(frame), (width, height))
    # Players take high definition that names no colour matrix for BT.709, FFmpeg's scaler for BT.601.
    unnamed_hd = frame.colorspace == _UNSPECIFIED and min(frame.width, frame.height) > _STANDARD_HEIGHT
    picture = frame.reformat(
        width,
        height,
        format="rgb24",
        interpolation="LANCZOS",
        src_colorspace="ITU709" if unnamed_hd else None,
    ).to_ndarray()
    return np.ascontiguousarray(picture, dtype=np.uint8)
