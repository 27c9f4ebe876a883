"""Points that a person places on a face by hand, and the file that keeps them.

A few points are enough for `fitting.fit_face` to find all 478 landmarks, where no detector finds the face. "Right" is
the person's right, which is left in the picture. `docs/formats/points_file.md` describes the file for users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from followyouremoji.config import parse, validated
from followyouremoji.errors import PointsError, shown
from followyouremoji.files import atomic_output
from followyouremoji.reading import read_bytes

from .shapes import face_shapes
from .topology import LEFT_EYE_LOOP, RIGHT_EYE_LOOP

if TYPE_CHECKING:
    from followyouremoji.face.detection import Landmarks

FORMAT, VERSION, ENDING = "followyouremoji-points", 1, ".json"
LARGEST_FILE = 1 << 16  # bytes; all points take a thousand
LEAST_EXTENT = 2.0  # pixels, of the box around all points

Group = Literal["right eye", "left eye", "right brow", "left brow", "nose", "mouth", "chin"]
Place = tuple[float, float]
Side = Annotated[int, Field(ge=1, le=1 << 20)]


@dataclass(frozen=True)
class NamedPoint:
    """A point that can be placed: what people call it, the part of the face that it belongs to, and the landmarks in
    whose middle it lies."""

    label: str
    group: Group
    landmarks: tuple[int, ...]


POINTS: Mapping[str, NamedPoint] = {
    "right_eye_outer": NamedPoint("Right eye, outer corner", "right eye", (33,)),
    "right_eye_inner": NamedPoint("Right eye, inner corner", "right eye", (133,)),
    "right_eye_top": NamedPoint("Right eye, middle of the upper lid's edge", "right eye", (159,)),
    "right_eye_bottom": NamedPoint("Right eye, middle of the lower lid's edge", "right eye", (145,)),
    "right_pupil": NamedPoint("Right pupil", "right eye", (468,)),
    "left_eye_outer": NamedPoint("Left eye, outer corner", "left eye", (263,)),
    "left_eye_inner": NamedPoint("Left eye, inner corner", "left eye", (362,)),
    "left_eye_top": NamedPoint("Left eye, middle of the upper lid's edge", "left eye", (386,)),
    "left_eye_bottom": NamedPoint("Left eye, middle of the lower lid's edge", "left eye", (374,)),
    "left_pupil": NamedPoint("Left pupil", "left eye", (473,)),
    "right_brow_outer": NamedPoint("Right brow, outer end", "right brow", (46, 70)),
    "right_brow_middle": NamedPoint("Right brow, middle", "right brow", (52, 105)),
    "right_brow_inner": NamedPoint("Right brow, inner end", "right brow", (55, 107)),
    "left_brow_outer": NamedPoint("Left brow, outer end", "left brow", (276, 300)),
    "left_brow_middle": NamedPoint("Left brow, middle", "left brow", (282, 334)),
    "left_brow_inner": NamedPoint("Left brow, inner end", "left brow", (285, 336)),
    "nose_tip": NamedPoint("Tip of the nose", "nose", (1, 4)),
    "mouth_right": NamedPoint("Right corner of the mouth", "mouth", (61, 78)),
    "mouth_left": NamedPoint("Left corner of the mouth", "mouth", (291, 308)),
    "upper_lip": NamedPoint("Upper lip, middle of its lower edge", "mouth", (13,)),
    "lower_lip": NamedPoint("Lower lip, middle of its upper edge", "mouth", (14,)),
    "chin": NamedPoint("Lowest point of the chin", "chin", (152,)),
}
"""All points by name, in the order in which they are best placed."""

LEAST = 5
"""How many points a face needs."""

FURTHEST_OUTSIDE = 0.5
"""How far outside the picture a point may lie, over the longer side: some of a face may be cut off."""

PLAIN = 0.1
"""Of the distance from eyes to mouth: what two points are apart at least for their order to count."""

SHAPE_TOLERANCE = 0.01
"""By how much the shapes of a picture and of its scaled copy may differ, from rounding to whole pixels."""

_TOP, _BOTTOM = ("right eye", "left eye", "right brow", "left brow"), ("mouth", "chin")


def _with_left(name: str) -> str:
    return name.replace("right", "left")


_LEFT_TO_RIGHT = (
    *((name, _with_left(name)) for name in POINTS if "right" in name),
    ("right_eye_outer", "right_eye_inner"),
    ("left_eye_inner", "left_eye_outer"),
    ("right_brow_outer", "right_brow_inner"),
    ("left_brow_inner", "left_brow_outer"),
)
"""Pairs of points: the first lies to the left in a picture whose face stands upright, whichever way it looks."""


@validated
class PlacedPoints:
    """Points on one face in one picture.

    >>> PlacedPoints(picture=(640, 480), points={"right_pupil": (270.5, 210.0), ...})

    Raises SettingsError for points that make no face: unknown names, too few, far outside the picture, left and right
    exchanged.
    """

    picture: tuple[Side, Side]
    """Width and height of the picture in pixels."""
    points: dict[str, Place]
    """Places by the names of `POINTS`: pixels from the upper left corner, x to the right, y down."""

    @field_validator("points")
    @classmethod
    def _have_names(cls, points: dict[str, Place]) -> dict[str, Place]:
        for name in points:
            if name not in POINTS:
                near = get_close_matches(name.lower().replace(" ", "_"), POINTS, 3)
                hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(POINTS)}"
                raise ValueError(f"there is no point `{shown(name)}`; {hint}")
        groups = {POINTS[name].group for name in points}
        missing = [
            what
            for what, there in (
                ("a point of an eye", {"right eye", "left eye"} & groups),
                ("the nose_tip", "nose" in groups),
                ("a point of the mouth", "mouth" in groups),
                (f"{LEAST} points in all, not {len(points)}", len(points) >= LEAST),
            )
            if not there
        ]
        if missing:
            raise ValueError(f"too few: a face needs {', and '.join(missing)}")
        return {name: points[name] for name in POINTS if name in points}

    @model_validator(mode="after")
    def _make_a_face(self) -> Self:
        size = np.array(self.picture)
        reach = FURTHEST_OUTSIDE * size.max()
        for name, place in self.points.items():
            if (np.maximum(-np.array(place), place - size) > reach).any():
                raise ValueError(
                    f"{name} lies at {place[0]:g}, {place[1]:g}, far outside the picture of {size[0]}x{size[1]} pixels; places count in "
                    "pixels from its upper left corner"
                )
        if np.ptp(list(self.points.values()), axis=0).max() < LEAST_EXTENT:
            raise ValueError(
                "all points lie in one place; places count in pixels, not in shares of the picture"
            )
        if self._is_mirrored():
            raise ValueError(
                "left and right are exchanged: right is the person's right, which is on the left of the picture where the face "
                "looks at you; exchange `right` and `left` in all names"
            )
        return self

    def _is_mirrored(self) -> bool:
        """Whether more pairs of points lie in the wrong order than in the right one."""
        down = self._middle(_BOTTOM) - self._middle(_TOP)
        height = float(np.linalg.norm(down))
        right = np.array([down[1], -down[0]]) / max(height, 1e-9)
        apart = np.array(
            [
                np.subtract(self.points[b], self.points[a]) @ right
                for a, b in _LEFT_TO_RIGHT
                if a in self.points and b in self.points
            ]
        )
        return int((apart < -PLAIN * height).sum()) > int((apart > PLAIN * height).sum())

    def _middle(self, groups: tuple[str, ...]) -> np.ndarray:
        places = [place for name, place in self.points.items() if POINTS[name].group in groups]
        middle: np.ndarray = np.mean(places, axis=0)
        return middle

    @classmethod
    def of(cls, landmarks: Landmarks) -> PlacedPoints:
        """All points of a face whose landmarks are known, brought into the picture's reach."""
        size = landmarks.size
        reach = FURTHEST_OUTSIDE * max(size)
        found = landmarks.points.astype(np.float64)
        places = {name: found[list(one.landmarks)].mean(axis=0) for name, one in POINTS.items()}
        within = {name: np.clip(place, -reach, np.add(size, reach)) for name, place in places.items()}
        return cls(picture=size, points={name: _rounded(place) for name, place in within.items()})

    @classmethod
    def template(cls, size: tuple[int, int]) -> PlacedPoints:
        """All points of an ordinary face that looks out of the middle of a picture, half as high as it."""
        face = face_shapes()["neutral_face_cm"]
        irises = [face[list(loop)].mean(axis=0) for loop in (RIGHT_EYE_LOOP, LEFT_EYE_LOOP) for _ in range(5)]
        face = np.concatenate([face, irises])[:, :2]
        low, high = face.min(axis=0), face.max(axis=0)
        scale = 0.5 * min(size) / (high - low)[1]
        points = np.divide(size, 2) + (face - (low + high) / 2) * (scale, -scale)
        places = {name: _rounded(points[list(one.landmarks)].mean(axis=0)) for name, one in POINTS.items()}
        return cls(picture=size, points=places)

    @classmethod
    def parse(cls, text: bytes | str, origin: object) -> PlacedPoints:
        """Points from the text of a file, which `origin` names in messages. Raises PointsError."""
        found = parse(_PointsFile, text, origin, _points_error)
        return cls(picture=found.picture, points=found.points)

    @classmethod
    def read(cls, path: Path) -> PlacedPoints:
        """Points from a file. Raises PointsError where there is none or it holds something else."""
        try:
            text = read_bytes(path, LARGEST_FILE)
        except FileNotFoundError as reason:
            raise _points_error(f"there is no file of points {path}; `fye points` makes one") from reason
        except OSError as reason:
            raise _points_error(f"cannot read {path}: {reason.strerror or reason}") from reason
        except ValueError as reason:
            raise _points_error(
                f"{path} is too large for a file of points, which has {LARGEST_FILE >> 10} kB at most"
            ) from reason
        return cls.parse(text, path)

    def save(self, path: Path, overwrite: bool = False) -> None:
        """Write a file that `read` reads, whole or not at all. Raises PointsError."""
        with atomic_output(path, overwrite, PointsError) as temporary:
            temporary.write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """The content of a file: JSON with a line for each point, easily changed by hand."""
        lines = ",\n".join(f'  "{name}": [{x:g}, {y:g}]' for name, (x, y) in self.points.items())
        width, height = self.picture
        return f'{{"format": "{FORMAT}", "version": {VERSION}, "picture": [{width}, {height}], "points": {{\n{lines}\n}}}}\n'

    def scaled_to(self, size: tuple[int, int], origin: object = "the points") -> PlacedPoints:
        """The same points in a copy of the picture that is scaled to `size` (width, height).

        Raises PointsError, naming the `origin`, where that has another shape: it is another picture.
        """
        if size == self.picture:
            return self
        (width, height), (wide, high) = self.picture, size
        slack = max(SHAPE_TOLERANCE, 1 / min(*size, *self.picture))
        if abs(width * high / (height * wide) - 1) > slack:
            raise _points_error(
                f"{origin}: its points are for a picture of {width}x{height} pixels, and this one has {wide}x{high}, another shape; place "
                "them on this picture"
            )
        scale = np.array([wide / width, high / height])
        return PlacedPoints(
            picture=size, points={name: _rounded(scale * place) for name, place in self.points.items()}
        )

    def turned(self, quarter_turns: int) -> PlacedPoints:
        """The same points in the picture turned counter-clockwise, as `numpy.rot90` does."""
        turned = self
        for _ in range(quarter_turns % 4):
            width, height = turned.picture
            turned = PlacedPoints(
                picture=(height, width),
                points={name: (y, width - x) for name, (x, y) in turned.points.items()},
            )
        return turned


@validated
class _PointsFile(PlacedPoints):
    """What a file must hold."""

    format: Literal["followyouremoji-points"]
    version: Literal[1]


def _points_error(message: str) -> PointsError:
    return PointsError(message, settings=("points",))


def _rounded(place: np.ndarray) -> Place:
    """To a hundredth of a pixel, beyond which nobody places anything."""
    return round(float(place[0]), 2), round(float(place[1]), 2)
