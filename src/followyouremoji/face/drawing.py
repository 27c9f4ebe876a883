"""Expression-aware landmark pictures (Sec. 3.1 of the paper) and the two masks of the fine-grained loss (Sec. 3.2).

The landmark picture shows eyes, eyebrows, inner lips and pupils, each part in a colour of its own, and leaves out the
facial contour, which would carry the driving person's face shape. The default style draws the very pixels that the
released network was trained on; the antialiased style is for small pictures, where whole pixels are too coarse to
show a glance or a half-closed lid.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np

from .topology import (
    FACE_OVAL,
    FACE_OVAL_LOOP,
    INNER_LIPS_LOWER,
    INNER_LIPS_UPPER,
    LEFT_EYE,
    LEFT_EYEBROW,
    LEFT_IRIS,
    N_MESH,
    RIGHT_EYE,
    RIGHT_EYEBROW,
    RIGHT_IRIS,
    Edges,
)

Colour = tuple[int, int, int]


def _lip_edges(corner_to_corner: tuple[int, ...]) -> tuple[Edges, Edges]:
    """The right and the left half of a lip, in the order in which the release draws them."""
    edges = tuple(pairwise(corner_to_corner))
    return edges[:5], edges[5:]


_LOWER_RIGHT, _LOWER_LEFT = _lip_edges(INNER_LIPS_LOWER)
_UPPER_RIGHT, _UPPER_LEFT = _lip_edges(INNER_LIPS_UPPER)

# Colours of the released landmark pictures, RGB. "Right" is the person's right.
PARTS: tuple[tuple[Colour, Edges], ...] = (
    ((180, 200, 10), LEFT_EYE),
    ((180, 220, 10), LEFT_EYEBROW),
    ((10, 200, 180), RIGHT_EYE),
    ((10, 220, 180), RIGHT_EYEBROW),
    ((100, 100, 30), _LOWER_RIGHT),
    ((100, 150, 50), _LOWER_LEFT),
    ((120, 100, 200), _UPPER_RIGHT),
    ((150, 120, 100), _UPPER_LEFT),
)
PUPIL_COLOUR: Colour = (255, 0, 0)
CONTOUR_COLOUR: Colour = (200, 200, 200)

EXPRESSION_POINTS: tuple[int, ...] = (
    *sorted({point for _, edges in PARTS for edge in edges for point in edge}),
    *range(RIGHT_IRIS, RIGHT_IRIS + 5),
    *range(LEFT_IRIS, LEFT_IRIS + 5),
)
"""The points that a landmark picture shows, whole irises included."""
_EXPRESSION_POINTS = np.array(EXPRESSION_POINTS)

_FACE_OVAL_LOOP = np.array(FACE_OVAL_LOOP)
_SHIFT = 4
"""Binary places of a sub-pixel coordinate in OpenCV's line drawing."""


@dataclass(frozen=True)
class LandmarkStyle:
    """How a landmark picture is drawn.

    Attributes
    ----------
    contour : draw the face oval as well ("with facial contour" of Table 2)
    pupils : draw the pupils (False: "without pupil points" of Table 2)
    antialiased : sub-pixel lines and round pupils; False draws the released network's pixels
    pupil_radius : half the side of a pupil in pixels of a 512 picture. Scales with the picture when antialiased, down
        to one pixel; otherwise it is in the picture's own pixels, as in the release.
    """

    contour: bool = False
    pupils: bool = True
    antialiased: bool = False
    pupil_radius: float = 3.0


RELEASED_STYLE = LandmarkStyle()


@dataclass(frozen=True)
class _Lines:
    """What a style draws, ready for OpenCV: `shown` are the numbers of its landmarks, edges count within these.

    `parts` are (colour, edges as pairs, the same as an array (n, 2)), in drawing order; `pupils` are the two pupils'
    places in `shown`.
    """

    shown: np.ndarray
    parts: tuple[tuple[Colour, Edges, np.ndarray], ...]
    pupils: tuple[int, int]


@cache
def _lines(contour: bool) -> _Lines:
    drawn = ((CONTOUR_COLOUR, FACE_OVAL), *PARTS) if contour else PARTS
    corners = {point for _, edges in drawn for edge in edges for point in edge}
    shown = sorted(corners | {RIGHT_IRIS, LEFT_IRIS})
    place = {point: index for index, point in enumerate(shown)}
    parts = []
    for colour, edges in drawn:
        renumbered = tuple((place[start], place[end]) for start, end in edges)
        parts.append((colour, renumbered, np.array(renumbered)))
    return _Lines(np.array(shown), tuple(parts), (place[RIGHT_IRIS], place[LEFT_IRIS]))


def draw_landmarks(
    points: np.ndarray, size: tuple[int, int], style: LandmarkStyle = RELEASED_STYLE
) -> np.ndarray:
    """The landmark picture of one face.

    Parameters
    ----------
    points : ``(478, 2)`` pixels; may lie outside the picture
    size : (width, height) of the picture to draw

    Returns
    -------
    ``uint8 (height, width, 3)`` RGB on black.
    """
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    if style.antialiased:
        _draw_antialiased(picture, np.asarray(points, np.float64), style)
    else:
        _draw_whole_pixels(picture, np.asarray(points), style)
    return picture


def _draw_whole_pixels(picture: np.ndarray, points: np.ndarray, style: LandmarkStyle) -> None:
    height, width = picture.shape[:2]
    lines = _lines(style.contour)
    points = points[lines.shown]
    within = ((points >= 0) & (points < (width, height))).all(axis=1)
    # Python's own numbers: OpenCV reads them faster than NumPy's. What lies inside is not negative, so that cutting off
    # the fraction is rounding down.
    pixels = np.where(within[:, None], points, 0).astype(int).tolist()
    inside = within.tolist()
    for colour, edges, _ in lines.parts:
        for start, end in edges:
            if inside[start] and inside[end]:
                cv2.line(picture, pixels[start], pixels[end], colour, 1)
    if style.pupils:
        radius = round(style.pupil_radius)
        for centre in lines.pupils:
            if inside[centre]:
                x, y = pixels[centre]
                picture[max(y - radius, 0) : y + radius, max(x - radius, 0) : x + radius] = PUPIL_COLOUR


def _draw_antialiased(picture: np.ndarray, points: np.ndarray, style: LandmarkStyle) -> None:
    height, width = picture.shape[:2]
    short = min(width, height)
    lines = _lines(style.contour)
    points = points[lines.shown]
    fixed = _fixed_point(points, (width, height))
    thickness = max(1, round(short / 256))
    for colour, _, edges in lines.parts:
        cv2.polylines(picture, fixed[edges], False, colour, thickness, cv2.LINE_AA, _SHIFT)
    if style.pupils:
        radius = max(style.pupil_radius * short / 512, 1.0)
        for centre in lines.pupils:
            _blend_disc(picture, points[centre], radius, PUPIL_COLOUR)


def _blend_disc(picture: np.ndarray, centre: np.ndarray, radius: float, colour: Colour) -> None:
    """A round spot whose pixels are covered by as much as the disc covers them, up to one pixel's blur."""
    height, width = picture.shape[:2]
    x, y = (float(value) for value in centre)
    if not (-radius < x < width + radius and -radius < y < height + radius):
        return
    left, right = max(int(x - radius - 1), 0), min(int(x + radius + 2), width)
    top, bottom = max(int(y - radius - 1), 0), min(int(y + radius + 2), height)
    distance = np.hypot(np.arange(left, right)[None] + 0.5 - x, np.arange(top, bottom)[:, None] + 0.5 - y)
    cover = np.clip(radius + 0.5 - distance, 0.0, 1.0)[..., None]
    part = picture[top:bottom, left:right]
    part[:] = np.round(part + cover * (np.array(colour) - part))


def expression_mask(points: np.ndarray, size: tuple[int, int], radius: float | None = None) -> np.ndarray:
    """The expression mask M_e: every point of the expression-aware landmark, dilated.

    Parameters
    ----------
    points : ``(478, 2)`` pixels
    size : (width, height)
    radius : of the dilation in pixels; None takes a ninth of the distance between the irises, and 2 at least

    Returns
    -------
    ``bool (height, width)``
    """
    points = np.asarray(points, np.float64)
    if radius is None:
        radius = max(float(np.linalg.norm(points[RIGHT_IRIS] - points[LEFT_IRIS])) / 9, 2.0)
    places = np.floor(np.nan_to_num(points[_EXPRESSION_POINTS]))
    # Points up to a border outside the picture still reach into it; only the box around the dilated points is looked
    # at.
    border = int(np.ceil(radius)) + 1
    mask = np.zeros((size[1], size[0]), bool)
    reaching = ((places >= -border) & (places < np.add(size, border))).all(axis=1)
    if not reaching.any():
        return mask
    near = places[reaching].astype(int)
    low, high = near.min(axis=0) - border, near.max(axis=0) + border + 1
    elsewhere = np.ones((high - low)[::-1], np.uint8)
    x, y = (near - low).T
    elsewhere[y, x] = 0
    distance = cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_5)
    (left, top), (right, bottom) = np.maximum(low, 0), np.minimum(high, size)
    mask[top:bottom, left:right] = (
        distance[top - low[1] : bottom - low[1], left - low[0] : right - low[0]] <= radius
    )
    return mask


def face_mask(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The face mask M_f: the projected 3-D facial contour, filled.

    Parameters and result as in `expression_mask`; the 468 mesh points are enough.
    """
    contour = _fixed_point(np.asarray(points, np.float64)[:N_MESH][_FACE_OVAL_LOOP], size)
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(mask, [contour], (1,), shift=_SHIFT)
    return mask.astype(bool)


def _fixed_point(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """OpenCV's fixed-point coordinates, which count from pixel centres, kept within their range."""
    reach = 4 * max(size)
    return np.round((np.clip(np.nan_to_num(points), -reach, reach) - 0.5) * (1 << _SHIFT)).astype(np.int32)
