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
) -> None:
    """Put a generated face into the warped portrait, in place, with the portrait's own fine texture where the two
    hardly differ.

    What the autoencoder loses of the warped portrait it loses of a result, too: where both are alike, the former's own
    pixels and the *change* that the network made are better than the generated pixels; where they differ (an eye that
    closes), the generated ones alone are right. The face ends softly at its contour.

    Parameters
    ----------
    warped : uint8 (height, width, 3), the warped portrait or a part of it.
    generated, reconstructed : uint8 (size, size, 3), in `window`: the result, and the warped portrait once through the
        autoencoder.
    window : where that lies in `warped`.
    points : (478, 2) landmarks of the face, in pixels of `warped`.
    """
    rows, columns = _extent(points, (warped.shape[1], warped.shape[0]))
    if columns.start == columns.stop:
        return
    face, fine = window.enlarged(_face_layer(generated, reconstructed, window.to_window(points)))
    for top in range(rows.start, rows.stop, BAND):
        part = warped[top : min(top + BAND, rows.stop), columns]
        laid = fine.seen_from(columns.start, top).lay_over(face, (part.shape[1], part.shape[0]))
        own_share = cv2.cvtColor(cv2.extractChannel(laid, 3), cv2.COLOR_GRAY2RGB)
        own = cv2.multiply(part, own_share, dtype=cv2.CV_32F)
        part[:] = cv2.add(own, cv2.cvtColor(laid, cv2.COLOR_RGBA2RGB), dtype=cv2.CV_8U)


def _face_layer(generated: np.ndarray, reconstructed: np.ndarray, points: np.ndarray) -> np.ndarray:
    """What comes to the warped portrait in a window, and how much of that stays: float32 (size, size, 3 + 1).

    With the soft mask s, and w how much of the portrait's texture is kept, a place becomes
    (1 - s) warped + s (w (warped + generated - reconstructed) + (1 - w) generated).
    """
    result, coded = generated.astype(np.float32), reconstructed.astype(np.float32)
    size = len(result)
    amount = np.abs(cv2.GaussianBlur(result - coded, (0, 0), BLUR)).mean(axis=-1, keepdims=True)
    kept = np.exp(-((amount / FAITHFUL) ** 2))
    (rows, columns), soft = _soft_face(points, (size, size))
    shown = np.zeros((size, size, 1), np.float32)
    shown[rows, columns] = soft
    shown *= _within(size)
    return np.concatenate([shown * (result - kept * coded), 1 - shown * (1 - kept)], axis=-1)


def _soft_face(points: np.ndarray, size: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Where (rows, columns) of a picture of `size` (width, height) a generated face shows, and float32 (rows, columns,
    1) how much.

    The face's mask, blurred by `EDGE` of the face's height.
    """
    rows, columns = _extent(points, size)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if width == 0 or height == 0:
        return (rows, columns), np.zeros((height, width, 1), np.float32)
    edge = _edge(points)
    mask = face_mask(points - (columns.start, rows.start), (width, height)).astype(np.float32)
    # So wide a blur is as smooth when it is computed on fewer pixels.
    small = [max(1, round(extent / max(1.0, edge / EDGE_PIXELS))) for extent in (width, height)]
    few = cv2.resize(mask, small, interpolation=cv2.INTER_AREA)
    few = cv2.GaussianBlur(few, (0, 0), edge * small[0] / width, sigmaY=edge * small[1] / height)
    soft = cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)
    return (rows, columns), soft[..., None]


def _extent(points: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    """Where (rows, columns) a face with landmarks `points` and its soft edge lie in a picture of `size` (width,
    height)."""
    reach = np.ceil(2.5 * _edge(points)) + 2  # what is left of the blur there is below a grey level
    oval = points[list(FACE_OVAL_LOOP)]
    low = np.clip(np.floor(oval.min(axis=0) - reach), 0, size).astype(int)
    high = np.clip(np.ceil(oval.max(axis=0) + reach), low, size).astype(int)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _edge(points: np.ndarray) -> float:
    """The standard deviation of the blur that makes a face's edge soft, in pixels."""
    return max(1.0, EDGE * float(np.ptp(points[:, 1])))


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
