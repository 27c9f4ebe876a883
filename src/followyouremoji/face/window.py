"""The face's window: a square that follows the face of each frame in place, size and roll.

A model that generates faces alone sees every face upright and equally large, so that none of its pixels are spent on
surroundings and nothing of its capacity on where in a picture a face is. Turns of the head and the expression remain:
they are what it has to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from followyouremoji.face.topology import N_MESH, mean_face

WINDOW_SIDE = 20.0
"""The window's side in centimetres of the mean face, which is 16.5 high: room for an open mouth and a turned head."""


FINEST = 4  # times as many pixels a side as a window has; beyond, linear interpolation looks the same


@dataclass(frozen=True)
class FaceWindow:
    """A square of `size` pixels laid over a picture, turned and scaled: `matrix` (2, 3) takes its pixels to the
    picture's."""

    matrix: np.ndarray
    size: int

    @property
    def inverse(self) -> np.ndarray:
        """(2, 3), from the picture's pixels to the window's."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return np.concatenate([linear, -(linear @ self.matrix[:, 2:])], axis=1)

    @property
    def scale(self) -> float:
        """Pixels of the picture to one of the window."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def seen_from(self, left: int, top: int) -> FaceWindow:
        """The same window over the part of the picture that begins at (left, top)."""
        return FaceWindow(self.matrix - [[0, 0, left], [0, 0, top]], self.size)

    def to_window(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in pixels of the picture as pixels of the window."""
        return _transformed(self.inverse, points)

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in pixels of the window as pixels of the picture."""
        return _transformed(self.matrix, points)

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """The window as a picture uint8 (size, size, 3); beyond the picture's border its edge pixels go on.

        A picture in which the face is larger than the window's is first shrunk by a whole factor, averaging.
        """
        import cv2

        picture, factor = averaged(picture, self.scale)
        return cv2.warpAffine(
            picture,
            _between_centres(self.matrix / factor),
            (self.size, self.size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def enlarged(self, content: np.ndarray) -> tuple[np.ndarray, FaceWindow]:
        """The window's content float32 (size, size, channels) with about as many pixels as the picture has there, but
        at most `FINEST` times a side; and the same window with these.

        Cubic, along rows and columns, which takes a third of the time that it does turned. What is left to resample is
        linear then.
        """
        import cv2

        factor = min(max(1, int(np.ceil(self.scale))), FINEST)
        size = factor * self.size
        linear = self.matrix * (1 / factor, 1 / factor, 1)
        return cv2.resize(content, (size, size), interpolation=cv2.INTER_CUBIC), FaceWindow(linear, size)

    def lay_over(self, content: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The window's content float32 (size, size, channels), best `enlarged`, where it lies in a picture of `size`
        (width, height); its edge goes on outside."""
        import cv2

        return cv2.warpAffine(
            content,
            _between_centres(self.inverse),
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def face_window(points: np.ndarray, size: int) -> FaceWindow:
    """The window of `size` pixels a side around a face with landmarks `points` (478, 2), in pixels of its picture.

    The least-squares similarity (Umeyama 1991, in two dimensions) that takes the mean face, seen from the front, to the
    landmarks.
    """
    mean = _frontal_mean_face()
    mesh = np.asarray(points[:N_MESH], np.float64)
    centre = mesh.mean(axis=0)
    mesh = mesh - centre
    power = (mean**2).sum()
    along = (mean * mesh).sum() / power
    across = (mean[:, 0] * mesh[:, 1] - mean[:, 1] * mesh[:, 0]).sum() / power
    linear = np.array([[along, -across], [across, along]]) * (WINDOW_SIDE / size)
    middle = np.full(2, size / 2)
    return FaceWindow(np.concatenate([linear, (centre - linear @ middle)[:, None]], axis=1), size)


def averaged(picture: np.ndarray, scale: float) -> tuple[np.ndarray, int]:
    """A picture of which `scale` pixels shall become one, shrunk by the whole part of that, averaging; and that whole
    factor.

    What is left to resample is less than 2, which linear interpolation does without aliasing. Places (x, y) lie at (x,
    y) / factor after.
    """
    import cv2

    factor = max(1, int(scale))
    if factor == 1:
        return picture, 1
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    whole = picture[: height * factor, : width * factor]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), factor


@cache
def _frontal_mean_face() -> np.ndarray:
    """(468, 2) centimetres about its centroid, y down."""
    face = mean_face()[:, :2] * (1.0, -1.0)
    centred: np.ndarray = face - face.mean(axis=0)
    return centred


def _transformed(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    moved: np.ndarray = np.asarray(points) @ matrix[:, :2].T + matrix[:, 2]
    return moved


def _between_centres(matrix: np.ndarray) -> np.ndarray:
    """The same map for OpenCV, which counts from the middle of the first pixel instead of its corner."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return shifted
