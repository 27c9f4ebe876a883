"""Points that a visitor places on a portrait's face: kept beside it, and what the page needs to have them placed.

The file `points.json` of a material is one that the command line takes: its places are in the picture as it was given.
The page shows the picture upright, so it knows them in the picture as it is turned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from followyouremoji.face.drawing import PARTS
from followyouremoji.face.fitting import Fitted
from followyouremoji.face.overlay import wire_edges
from followyouremoji.face.placed_points import POINTS, PlacedPoints
from followyouremoji.face.shapes import face_shapes
from followyouremoji.face.topology import (
    INNER_LIPS_LOOP,
    LEFT_EYE_LOOP,
    LEFT_EYEBROW_LOWER,
    LEFT_EYEBROW_UPPER,
    LEFT_IRIS,
    OUTER_LIPS_LOOP,
    RIGHT_EYE_LOOP,
    RIGHT_EYEBROW_LOWER,
    RIGHT_EYEBROW_UPPER,
    RIGHT_IRIS,
    TRIANGLES,
    Loop,
)
from followyouremoji.files import atomic
from followyouremoji.studio.material import Material
from followyouremoji.studio.preview import FINE, framed

FILE = "points.json"
YAWS = {"left": -72.0, "front": 0.0, "right": 72.0}
"""Views of the reference face, by where in the picture it looks: degrees of its head."""

_SIDE_GUIDE = ("{}_pupil", "{}_eye_outer", "nose_tip", "upper_lip", "mouth_{}", "chin", "{}_brow_middle")
GUIDES: Mapping[str, tuple[str, ...]] = {
    "front": (
        "right_eye_outer",
        "left_eye_outer",
        "nose_tip",
        "mouth_right",
        "mouth_left",
        "right_eye_inner",
        "left_eye_inner",
        "chin",
    ),
    "left": tuple(name.format("left") for name in _SIDE_GUIDE),
    "right": tuple(name.format("right") for name in _SIDE_GUIDE),
}
"""The points that the page asks for first, in each view: five make a face, and the others make it sure."""

_NOSTRILS: Loop = (64, 98, 97, 2, 326, 327, 294)
_PARTS: tuple[tuple[str, Loop, bool], ...] = (
    ("eye", RIGHT_EYE_LOOP, True),
    ("eye", LEFT_EYE_LOOP, True),
    ("brow", RIGHT_EYEBROW_UPPER + RIGHT_EYEBROW_LOWER[::-1], True),
    ("brow", LEFT_EYEBROW_UPPER + LEFT_EYEBROW_LOWER[::-1], True),
    ("lips", OUTER_LIPS_LOOP, True),
    ("mouth", INNER_LIPS_LOOP, True),
    ("nose", _NOSTRILS, False),
)
"""Of the reference drawing: kind, points, whether they are closed."""

SIDE = 1000
"""Of the square that the reference face is drawn in."""


def has_points(material: Material) -> bool:
    """Whether points were placed on it: they say which face is meant."""
    return material.folder is not None and (material.folder / FILE).exists()


def kept_points(portrait: Material) -> PlacedPoints | None:
    """Those that were kept for a portrait, in its upright picture. Raises PointsError for a damaged file."""
    if portrait.folder is None or not has_points(portrait):
        return None
    return PlacedPoints.read(portrait.folder / FILE).turned(_turns(portrait))


def keep_points(portrait: Material, points: PlacedPoints) -> None:
    """Keep points of a portrait's upright picture in its folder."""
    assert portrait.folder is not None
    with atomic(portrait.folder / FILE) as temporary:
        temporary.write_text(as_given(portrait, points).text(), encoding="utf-8")


def forget_points(portrait: Material) -> None:
    if portrait.folder is not None:
        (portrait.folder / FILE).unlink(missing_ok=True)


def as_given(portrait: Material, points: PlacedPoints) -> PlacedPoints:
    """Points of a portrait's upright picture in the picture as it was given."""
    return points.turned(-_turns(portrait))


def from_file(portrait: Material, text: str, name: str) -> PlacedPoints:
    """Points of a file, in a portrait's upright picture. Raises PointsError where they are for another picture."""
    width, height = portrait.details["size"]
    size = (height, width) if _turns(portrait) % 2 else (width, height)
    return PlacedPoints.parse(text, name).scaled_to(size, name).turned(_turns(portrait))


def packed_fit(fitted: Fitted, scale: float) -> bytes:
    """A fitted face for the page, framed as a preview is: the names of doubted points, and 478 places in eighths of a
    pixel of the portrait's view, which is `scale` times as large; `fine` of them make a pixel of the portrait."""
    header = {"doubted": fitted.doubted, "fine": scale * FINE}
    return framed(header, fitted.landmarks.points * (scale * FINE))


@cache
def placing_table() -> dict[str, Any]:
    """What the page needs: the points' names, the lines of a wire frame, and a reference face from three sides."""
    return {
        "points": [
            {"name": name, "label": point.label, "landmarks": point.landmarks}
            for name, point in POINTS.items()
        ],
        "edges": wire_edges().ravel().tolist(),
        "features": [point for _, edges in PARTS for edge in edges for point in edge],
        "irises": [RIGHT_IRIS, LEFT_IRIS],
        "views": {view: _reference(view) for view in YAWS},
    }


def _reference(view: str) -> dict[str, Any]:
    """The reference face from one side: where each point is, and paths in the syntax of SVG, the hindmost first."""
    yaw = np.radians(YAWS[view])
    face = face_shapes()["neutral_face_cm"]
    turned = face @ np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]).T
    flat = turned[:, :2] * (1, -1)
    least, extent = flat.min(axis=0), np.ptp(flat, axis=0)
    flat = (flat - least - extent / 2) * (0.92 * SIDE / extent.max()) + SIDE / 2

    corners = turned[TRIANGLES]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = np.zeros(len(face))  # how much of the surface around a point is turned to the viewer
    np.add.at(facing, TRIANGLES.ravel(), np.repeat(normals[:, 2], 3))

    paths = [("skin", "".join(_path(flat[one], True) for one in TRIANGLES[normals[:, 2] > 0]))]
    for kind, points, closed in _PARTS:
        if _seen(facing, points):
            paths.append((kind, _path(flat[list(points)], closed)))
            if kind == "eye":
                paths.append(("iris", _circle(flat[list(points)])))
    return {
        "guide": GUIDES[view],
        "paths": paths,
        "points": {name: flat[_on_mesh(name)].mean(axis=0).round(1).tolist() for name in POINTS},
        "hidden": [name for name in POINTS if not _seen(facing, _on_mesh(name))],
    }


def _seen(facing: np.ndarray, points: Sequence[int]) -> bool:
    """Whether most of some points of the mesh look at the viewer."""
    return bool((facing[list(points)] > 0).mean() > 0.5)


def _on_mesh(name: str) -> list[int]:
    eyes = {"right_pupil": RIGHT_EYE_LOOP, "left_pupil": LEFT_EYE_LOOP}
    return list(eyes.get(name, POINTS[name].landmarks))


def _path(points: np.ndarray, closed: bool) -> str:
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points) + ("Z" if closed else "")


def _circle(eye: np.ndarray) -> str:
    """An iris in the middle of an eye's rim."""
    (x, y), radius = eye.mean(axis=0), min(0.55 * np.ptp(eye[:, 1]), 0.35 * np.ptp(eye[:, 0]))
    return f"M{x - radius:.0f} {y:.0f}a{radius:.0f} {radius:.0f} 0 1 0 {2 * radius:.0f} 0a{radius:.0f} {radius:.0f} 0 1 0 {-2 * radius:.0f} 0Z"


def _turns(portrait: Material) -> int:
    """Quarter turns, counter-clockwise, that made the picture upright."""
    turns: int = portrait.details.get("quarter_turns", 0)
    return turns
