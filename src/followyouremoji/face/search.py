"""Where in a picture faces are looked for, and which of those found are the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from .face_graphs import GraphFace
from .geometry import eye_distance

SEARCH_SIZE = 512
"""Pixels: the side of a search crop as the detector gets it."""

SMALLEST_PART = 100
"""Pixels: smaller parts of a picture hold no face worth animating."""

SAME_FACE_DISTANCE = 0.5
"""Two faces nearer than this, in sides of the larger one, are taken for the same."""

CONFIRMING_CROPS = (1.5, 1.75, 2.0, 2.25, 2.5)
"""Sides of the crops, in sides of the face, in which a face must be seen again that only a search crop showed."""

CONFIRMATIONS = 3
"""How many of them have to agree."""

AGREEMENT = 0.06
"""Largest mean distance to the median face, as a share of the distance between the outer eye corners."""

Look = Callable[[np.ndarray], list[GraphFace]]
"""From an RGB picture to the faces in it."""


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

    def faces(self, look: Look, picture: np.ndarray) -> list[GraphFace]:
        """The faces that `look` finds in the region, normalised to the whole picture."""
        width, height = size_of(picture)
        scale = np.array([self.side / width, self.side / height, self.side / width])
        offset = np.array([self.x / width, self.y / height, 0.0])
        found = look(self.cut(picture))
        return [GraphFace(face.normalised * scale + offset, face.blendshapes) for face in found]


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
    return any(distance(face, other, size) < SAME_FACE_DISTANCE for other in known)


def nearest(faces: list[GraphFace], last: GraphFace, size: tuple[int, int]) -> GraphFace:
    return min(faces, key=lambda face: distance(face, last, size))


def confirmed(look: Look, picture: np.ndarray, candidate: GraphFace) -> GraphFace | None:
    """The median of what crops around a candidate show, without scores; None if too few of them agree."""
    size = size_of(picture)
    x, y, side = place(candidate, size)
    seen: list[np.ndarray] = []
    for share in CONFIRMING_CROPS:
        around = Region.around(x, y, share * side).faces(look, picture)
        same = [found for found in around if is_known(found, [candidate], size)]
        if same:
            seen.append(nearest(same, candidate, size).normalised)
    while len(seen) >= CONFIRMATIONS:
        median = np.median(seen, axis=0)
        pixels, middle = np.stack(seen)[..., :2] * size, median[:, :2] * size
        apart = np.linalg.norm(pixels - middle, axis=-1).mean(axis=1)
        apart /= max(float(eye_distance(middle)), 1e-6)
        if apart.max() <= AGREEMENT:
            return GraphFace(median, None)
        del seen[int(apart.argmax())]
    return None


def size_of(picture: np.ndarray) -> tuple[int, int]:
    return picture.shape[1], picture.shape[0]
