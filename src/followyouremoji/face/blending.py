"""A generated face put into the warped portrait, whose surroundings and fine texture are the picture's own."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from followyouremoji.face.drawing import face_mask
from followyouremoji.face.topology import FACE_OVAL_LOOP
from followyouremoji.face.window import FaceWindow

EDGE = 0.015  # of the face's height: how softly a generated face ends at its contour
EDGE_PIXELS = 3.0  # width of that edge at which it is computed where it is wider
MARGIN = 4  # pixels of a window at its border, where what is generated fades out
FAITHFUL = 30.0  # grey levels of change beyond which fine texture is no longer carried over
BAND = 512  # rows of a large face that are worked on at once
BLUR = 1.0  # pixels of a window, over which that change is judged


def blend_face(warped: np.ndarray, generated: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A generated face, softly edged, in the warped portrait, whose surroundings are sharp and follow the landmarks.

    `warped` uint8 and `generated` of any type (height, width, 3); `points` (478, 2) are the face's landmarks in their
    pixels. Returns uint8 alike.
    """
    part, soft = _soft_face(points, (warped.shape[1], warped.shape[0]))
    result = warped.copy()
    result[part] = _blended(warped[part], generated[part], soft)
    return result


def place_face(
    warped: np.ndarray,
    generated: np.ndarray,
    reconstructed: np.ndarray,
    window: FaceWindow,
    points: np.ndarray,
) -> np.ndarray:
    """`blend_face` of `with_own_texture`, whose parameters these are, computed only where the face is: uint8
    as `warped`."""
    (rows, columns), soft = _soft_face(points, (warped.shape[1], warped.shape[0]))
    placed = warped.copy()
    changed, coded = _layers(generated, reconstructed)
    coded = np.concatenate([coded, _within(window.size)], axis=-1)
    for top in range(rows.start, rows.stop, BAND):
        part = (slice(top, min(top + BAND, rows.stop)), columns)
        band = soft[top - rows.start :][:BAND]
        size = (band.shape[1], band.shape[0])
        shifted = window.seen_from(columns.start, top)
        laid = shifted.lay_over(coded, size)
        textured = _textured(warped[part], shifted.lay_over(changed, size), laid[..., :3])
        placed[part] = _blended(warped[part], textured, band * laid[..., 3:].clip(0, 1))
    return placed


def with_own_texture(
    warped: np.ndarray, generated: np.ndarray, reconstructed: np.ndarray, window: FaceWindow
) -> np.ndarray:
    """A generated face in the resolution of the warped portrait, with its fine texture where the two hardly differ.

    What the autoencoder loses of the warped portrait it loses of a result, too: where both are alike, the former's own
    pixels and the *change* that the network made are better than the generated pixels; where they differ (an eye that
    closes), the generated ones alone are right.

    Parameters
    ----------
    warped : uint8 (height, width, 3), the warped portrait.
    generated, reconstructed : uint8 (size, size, 3), in `window`: the result, and the warped portrait once through the
        autoencoder.

    Returns
    -------
    float32 (height, width, 3), right inside the window.
    """
    size = (warped.shape[1], warped.shape[0])
    changed, coded = _layers(generated, reconstructed)
    return _textured(warped, window.lay_over(changed, size), window.lay_over(coded, size))


def _layers(generated: np.ndarray, reconstructed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In a window, float32: what was generated, with how much of the warped portrait's texture is kept (size, size, 4),
    and the reconstructed warp (size, size, 3)."""
    result, coded = generated.astype(np.float32), reconstructed.astype(np.float32)
    amount = np.abs(cv2.GaussianBlur(result - coded, (0, 0), BLUR)).mean(axis=-1, keepdims=True)
    return np.concatenate([result, np.exp(-((amount / FAITHFUL) ** 2))], axis=-1), coded


def _textured(warped: np.ndarray, changed: np.ndarray, coded: np.ndarray) -> np.ndarray:
    """The `_layers`, laid over the picture, and the warped portrait together: float32 (height, width, 3)."""
    # weight * (warped + result - coded) + (1 - weight) * result, with one pass of interpolation less
    mixed: np.ndarray = warped - coded
    mixed *= changed[..., 3:].clip(0, 1)
    mixed += changed[..., :3]
    return mixed


def _soft_face(points: np.ndarray, size: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Where (rows, columns) of a picture of `size` (width, height) a generated face shows, and float32 (rows, columns,
    1) how much.

    The face's mask, blurred by `EDGE` of the face's height.
    """
    edge = max(1.0, EDGE * float(np.ptp(points[:, 1])))
    reach = np.ceil(2.5 * edge) + 2  # what is left of the blur there is below a grey level
    oval = points[list(FACE_OVAL_LOOP)]
    low = np.clip(np.floor(oval.min(axis=0) - reach), 0, size).astype(int)
    high = np.clip(np.ceil(oval.max(axis=0) + reach), low, size).astype(int)
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    width, height = (int(extent) for extent in high - low)
    if width == 0 or height == 0:
        return part, np.zeros((height, width, 1), np.float32)
    mask = face_mask(points - low, (width, height)).astype(np.float32)
    # So wide a blur is as smooth when it is computed on fewer pixels.
    small = [max(1, round(extent / max(1.0, edge / EDGE_PIXELS))) for extent in (width, height)]
    few = cv2.resize(mask, small, interpolation=cv2.INTER_AREA)
    few = cv2.GaussianBlur(few, (0, 0), edge * small[0] / width, sigmaY=edge * small[1] / height)
    soft = cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)
    return part, soft[..., None]


@lru_cache(maxsize=4)
def _within(size: int) -> np.ndarray:
    """1 inside a window, falling to 0 at its border: float32 (size, size, 1)."""
    from_edge = np.minimum(np.arange(size), np.arange(size)[::-1]).astype(np.float32)
    rise = np.clip(from_edge / MARGIN, 0, 1)
    return np.minimum(rise[:, None], rise[None])[..., None]


def _blended(warped: np.ndarray, generated: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """`warped` with the `generated` content as far as `soft` (height, width, 1) shows it: uint8."""
    mixed: np.ndarray = generated - warped.astype(np.float32)
    mixed *= soft
    mixed += warped
    return np.rint(mixed, out=mixed).clip(0, 255).astype(np.uint8)
