"""What a sticker shows of a portrait."""

import numpy as np
import pytest

from followyouremoji.errors import PictureError
from followyouremoji.face.detection import Landmarks
from followyouremoji.sources import Portrait
from followyouremoji.stickers.composing import opaque_box
from followyouremoji.stickers.subject import Subject, cut, square_around


def landmarks_at(centre: tuple[float, float], extent: float, size: tuple[int, int]) -> Landmarks:
    """Landmarks around a point of a picture, all in pixels."""
    spread = np.random.default_rng(0).uniform(-extent / 2, extent / 2, (478, 2)) + centre
    depth = np.zeros((478, 1))
    return Landmarks(np.hstack([spread / size, depth]).astype(np.float32), size)


@pytest.mark.parametrize("box", [(20, 10, 80, 90), (-30, -20, 90, 110), (40, 40, 140, 160)])
def test_landmarks_stay_on_their_pixels(box: tuple[int, int, int, int]) -> None:
    picture = np.zeros((120, 100, 4), np.uint8)
    landmarks = landmarks_at((60.0, 60.0), 30.0, (100, 120))
    x, y = np.floor(landmarks.points[7]).astype(int)
    picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    for scale in (1.0, 0.5, 2.0):
        part, moved = cut(picture, landmarks, box, scale)
        assert moved.size == (part.shape[1], part.shape[0])
        assert part.shape[:2] == (round((box[3] - box[1]) * scale), round((box[2] - box[0]) * scale))
        rows, columns = np.nonzero(part[..., 3] > 127)
        middle = columns.mean() + 0.5, rows.mean() + 0.5
        assert np.abs(moved.points[7] - middle).max() <= scale


def test_around_a_picture_there_is_nothing() -> None:
    part, _ = cut(
        np.full((50, 50, 4), 200, np.uint8), landmarks_at((25, 25), 20, (50, 50)), (-10, -5, 60, 70), 1.0
    )
    assert opaque_box([part]) == (10, 5, 60, 55)
    assert (part[..., :3] == 200).all()


@pytest.mark.parametrize("centre", [(50.0, 60.0), (390.0, 30.0), (200.0, 290.0)])
def test_the_square_lies_in_the_picture_and_holds_the_face(centre: tuple[float, float]) -> None:
    size = (400, 300)
    landmarks = landmarks_at(centre, 20.0, size)
    left, top, right, bottom = square_around(landmarks)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert right - left == bottom - top
    inside = landmarks.points.clip(0, size)
    assert (inside >= (left - 1, top - 1)).all()
    assert (inside <= (right + 1, bottom + 1)).all()


def test_a_transparent_portrait_keeps_its_own_opacity() -> None:
    layers = np.zeros((200, 200, 4), np.uint8)
    layers[40:160, 60:140] = 255
    subject = Subject(Portrait(layers, (landmarks_at((100, 100), 60, (200, 200)),)), 1)
    shown = subject.shown(True, 60)
    assert shown.layers.shape[2] == 4
    left, top, right, bottom = opaque_box([shown.layers])
    assert bottom - top == pytest.approx(60, abs=2)
    assert right - left == pytest.approx(40, abs=2)
    assert min(left, top) > 5  # room to move
    layers[..., 3] = 0
    with pytest.raises(PictureError, match="nothing is left"):
        subject.shown(True, 60)
