"""Makes the pictures of points.md: `python docs/pictures/points.py`, in the checkout. Needs skia.

points.jpg shows where each point goes; placed.jpg a drawn profile that no detector finds, the points of `profile.json`
that were placed on it by eye, what the fit makes of them, and frames of its animation by the bundled model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from followyouremoji.animator import PortraitAnimator
from followyouremoji.face.fitting import fit_face
from followyouremoji.face.overlay import draw_named_points, draw_wire_frame
from followyouremoji.face.placed_points import POINTS, PlacedPoints
from followyouremoji.media.cropping import Crop, face_crop
from followyouremoji.media.pictures import contact_sheet, write_picture
from followyouremoji.portraits import Performance, draw_portrait, random_identity
from followyouremoji.requests.bundled import bundled_motion

HERE = Path(__file__).parent
SIDE = 512
TILE = 240
SHOWN = (17, 29, 83)  # frames of `hello`: a smile, raised brows, a word


def profile() -> np.ndarray:
    """The drawn profile: uint8 (512, 512, 3)."""
    who = random_identity(np.random.default_rng(2), "cartoon")
    return draw_portrait(who, Performance(yaw=80.0), SIDE).picture


def where_points_go() -> np.ndarray:
    who = replace(random_identity(np.random.default_rng(20), "cartoon"), glasses="none", hat="none")
    drawn = draw_portrait(who, Performance(), 2 * SIDE)
    crop, side = face_crop(drawn.points, 1.5), 600
    points = crop.to_crop(drawn.points, side)
    places = {name: points[list(one.landmarks)].mean(axis=0) for name, one in POINTS.items()}
    placed = {name: (float(x), float(y)) for name, (x, y) in places.items()}
    return draw_named_points(crop.cut(drawn.picture, side), placed)


def placed() -> np.ndarray:
    picture, points = profile(), PlacedPoints.read(HERE / "profile.json")
    landmarks = fit_face(points.points, points.picture).landmarks
    animator = PortraitAnimator.from_pretrained("bundled")
    frames = list(animator(picture, bundled_motion("hello"), portrait_landmarks=landmarks))
    whole, near = Crop(96.0, 96.0, 352.0), Crop(190.0, 140.0, 250.0)
    close = near.cut(picture, TILE)
    dots = {
        name: tuple(near.to_crop(np.array(place), TILE).tolist()) for name, place in points.points.items()
    }
    fitted = draw_wire_frame(close, near.to_crop(landmarks.points, TILE))
    return contact_sheet(
        [draw_named_points(close, dots), fitted, *(whole.cut(frames[i], TILE) for i in SHOWN)], 5
    )


if __name__ == "__main__":
    write_picture(HERE / "points.jpg", where_points_go(), overwrite=True)
    write_picture(HERE / "placed.jpg", placed(), overwrite=True)
