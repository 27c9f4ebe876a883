"""A face's wire frame and named points drawn over its picture, for people to look at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .drawing import PARTS, PUPIL_COLOUR, Colour
from .placed_points import Place
from .topology import LEFT_IRIS, N_MESH, RIGHT_IRIS, TRIANGLES

WIRE: Colour = (120, 225, 255)
TRUSTED: Colour = (255, 255, 255)
DOUBTED: Colour = (255, 70, 50)
WIRE_OPACITY = 0.4
ROOM_BESIDE = 0.3  # between the points and the columns of their names, over the points' width
_SHIFT = 4
"""Binary places of a sub-pixel coordinate in OpenCV's drawing."""


@cache
def wire_edges() -> np.ndarray:
    """(1322, 2): the edges of the mesh, as pairs of point numbers."""
    pairs = np.sort(
        np.concatenate([TRIANGLES[:, [0, 1]], TRIANGLES[:, [1, 2]], TRIANGLES[:, [2, 0]]]), axis=1
    )
    return np.unique(pairs, axis=0)


def draw_wire_frame(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A picture uint8 (height, width, 3) with the mesh of landmarks `points` (478, 2), in its pixels, over it; eyes,
    brows, lips and irises in the colours of landmark pictures."""
    thickness = max(1, round(min(picture.shape[:2]) / 400))
    fixed = np.rint((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
    wires = picture.copy()
    cv2.polylines(wires, [*fixed[:N_MESH][wire_edges()]], False, WIRE, 1, cv2.LINE_AA, _SHIFT)
    drawn = cv2.addWeighted(picture, 1 - WIRE_OPACITY, wires, WIRE_OPACITY, 0)
    for colour, edges in PARTS:
        cv2.polylines(
            drawn, [*fixed[np.array(edges)]], False, _bright(colour), thickness, cv2.LINE_AA, _SHIFT
        )
    for iris in (RIGHT_IRIS, LEFT_IRIS):
        cv2.polylines(drawn, [fixed[iris + 1 : iris + 5]], True, PUPIL_COLOUR, thickness, cv2.LINE_AA, _SHIFT)
    return drawn


def draw_named_points(
    picture: np.ndarray, places: Mapping[str, Place], doubted: Collection[str] = ()
) -> np.ndarray:
    """A picture uint8 (height, width, 3) with points over it and their names in a column on either side; the doubted
    ones in red."""
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    unit = max(min(canvas.size) / 400, 0.7)
    font = ImageFont.load_default(10 * unit)
    line, radius = 13 * unit, 2 * unit
    low, high = (float(end([x for x, _ in places.values()])) for end in (min, max))
    widest = max(font.getlength(name) for name in places) + 3 * unit
    beside = ROOM_BESIDE * (high - low)
    columns = {
        "rm": max(low - beside, widest),  # the names on the left end here, those on the right begin
        "lm": min(high + beside, canvas.width - widest),
    }
    for anchor, column in columns.items():
        names = [name for name, (x, _) in places.items() if (x < (low + high) / 2) == (anchor == "rm")]
        names.sort(key=lambda name: places[name][1])
        heights = _spread([places[name][1] for name in names], line, canvas.height)
        for name, height in zip(names, heights, strict=True):
            colour = DOUBTED if name in doubted else TRUSTED
            end = column + (unit if anchor == "rm" else -unit)
            draw.line([(end, height), places[name]], fill=colour, width=max(1, round(0.5 * unit)))
            draw.text(
                (column, height), name, colour, font, anchor, stroke_width=0.6 * unit, stroke_fill=(0, 0, 0)
            )
    for name, place in places.items():
        colour = DOUBTED if name in doubted else TRUSTED
        draw.circle(place, radius, colour, (0, 0, 0), max(1, round(0.6 * unit)))
    return np.asarray(canvas)


def _spread(heights: Sequence[float], apart: float, extent: int) -> list[float]:
    """Rising heights moved as little as it takes for them to be `apart`, within an extent where they have room."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + apart) if placed else max(height, apart / 2))
    bottom = extent - apart / 2
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], bottom)
        bottom = placed[index] - apart
    return placed


def _bright(colour: Colour) -> tuple[int, ...]:
    return tuple(round(255 * channel / max(colour)) for channel in colour)
