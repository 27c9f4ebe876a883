"""Where in a picture faces are looked for, and which of those found are the same."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from .face_graphs import GraphFace

SEARCH_SIZE = 512
"""Pixels: the side of a search crop as the detector gets it."""

SMALLEST_PART = 100
"""Pixels: smaller parts of a picture hold no face worth animating."""

SAME_FACE = 0.5
"""Two faces nearer than this, in sides of the larger one, are taken for the same."""


@dataclass(frozen=True)
class Region:
    """A square part of a picture, which may reach outside: its corner and side in pixels."""

    x: float
    y: float
    side: float

    @classmethod
    def around(cls, x: float, y: float, side: float) -> "Region":
        return cls(x - side / 2, y - side / 2, side)

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """The region at `SEARCH_SIZE`; outside the picture its border goes on."""
        scale = SEARCH_SIZE / self.side
        placing = np.array([[scale, 0, -scale * self.x], [0, scale, -scale * self.y]])
        how = cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
        if scale < 0.5:  # warpAffine does not average; shrink the picture first
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            placing[:, :2] = np.eye(2)
        size = (SEARCH_SIZE, SEARCH_SIZE)
        return cv2.warpAffine(picture, placing, size, flags=how, borderMode=cv2.BORDER_REPLICATE)

    def to_picture(self, face: GraphFace, size: tuple[int, int]) -> GraphFace:
        width, height = size
        scale = np.array([self.side / width, self.side / height, self.side / width])
        offset = np.array([self.x / width, self.y / height, 0.0])
        return GraphFace(face.normalised * scale + offset, face.blendshapes)


def search_levels(size: tuple[int, int], boxes: list[tuple[float, float, float]]) -> Iterator[list[Region]]:
    """Where to look again: boxes of far faces and the picture with a border around, then smaller and smaller parts."""
    width, height = size
    long = max(width, height)
    bordered = [Region.around(width / 2, height / 2, share * long) for share in (1.0, 1.5, 2.0)]
    yield [Region.around(x, y, 2 * side) for x, y, side in boxes] + bordered
    for parts, share in ((2, 0.66), (3, 0.45), (5, 0.27)):
        side = share * long
        if side < SMALLEST_PART:
            return
        xs, ys = (np.linspace(0, max(extent - side, 0), parts) for extent in size)
        yield [Region(float(x), float(y), side) for y in ys for x in xs]


def place(face: GraphFace, size: tuple[int, int]) -> tuple[float, float, float]:
    """Centre and longer side of a face in pixels."""
    points = face.normalised[:, :2] * size
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (low + high) / 2
    return float(x), float(y), float((high - low).max())


def distance(one: GraphFace, other: GraphFace, size: tuple[int, int]) -> float:
    """How far two faces are apart, in sides of the larger one; a difference in size counts too."""
    x, y, side = place(one, size)
    other_x, other_y, other_side = place(other, size)
    return float(np.hypot(np.hypot(x - other_x, y - other_y), side - other_side)) / max(
        side, other_side, 1e-6
    )


def is_known(face: GraphFace, known: list[GraphFace], size: tuple[int, int]) -> bool:
    return any(distance(face, other, size) < SAME_FACE for other in known)


def nearest(faces: list[GraphFace], last: GraphFace, size: tuple[int, int]) -> GraphFace:
    return min(faces, key=lambda face: distance(face, last, size))


def size_of(picture: np.ndarray) -> tuple[int, int]:
    return picture.shape[1], picture.shape[0]
