"""The aligned landmarks of an animation as a browser draws them: lines and pupils, before any network runs.

One binary answer, little-endian: the length of a JSON text (uint32), the text, then int16 coordinates of all frames'
points, x and y in eighths of a pixel of the portrait's view. The text holds

    size      [width, height] of the view, pixels
    start     seconds of the driving at which the first frame is
    forward   frames before the motion goes backwards; all where it does not
    frames, frame_rate, points
    lines     [[colour, [point, point, ...]], ...]: each point numbers one of a frame's
    pupils    [point, point]
    notes     sentences for the user
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from followyouremoji.face.drawing import PARTS, PUPIL_COLOUR
from followyouremoji.face.topology import LEFT_IRIS, RIGHT_IRIS

FINE = 8  # parts of a pixel


@cache
def shown() -> tuple[np.ndarray, list[list[object]], list[int]]:
    """The landmarks that are drawn, lines as places among them, and the pupils' places."""
    points = sorted(
        {point for _, edges in PARTS for edge in edges for point in edge} | {RIGHT_IRIS, LEFT_IRIS}
    )
    place = {point: number for number, point in enumerate(points)}
    lines: list[list[object]] = []
    for (red, green, blue), edges in PARTS:
        run = [place[edges[0][0]]]
        for start, end in edges:
            if place[start] != run[-1]:
                lines.append([f"rgb({red} {green} {blue})", run])
                run = [place[start]]
            run.append(place[end])
        lines.append([f"rgb({red} {green} {blue})", run])
    return np.array(points), lines, [place[RIGHT_IRIS], place[LEFT_IRIS]]


def packed(
    points: np.ndarray,
    size: tuple[int, int],
    scale: float,
    frame_rate: float,
    notes: Sequence[str] = (),
    start: float = 0.0,
    forward: int | None = None,
) -> bytes:
    """Landmarks (T, 478, 2), pixels of a portrait, for a view of `size` that is `scale` times as large."""
    places, lines, pupils = shown()
    header = {
        "size": size,
        "frames": len(points),
        "start": start,
        "forward": len(points) if forward is None else forward,
        "frame_rate": frame_rate,
        "points": len(places),
        "lines": lines,
        "pupils": pupils,
        "pupil_colour": f"rgb{PUPIL_COLOUR}",
        "notes": list(notes),
    }
    return framed(header, points[:, places] * (scale * FINE))


def framed(header: Mapping[str, object], fine: np.ndarray) -> bytes:
    """A header and coordinates in eighths of a pixel, of any shape, as one answer."""
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + np.clip(np.rint(fine), -32768, 32767).astype("<i2").tobytes()
