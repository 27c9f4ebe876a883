"""A portrait with room for a motion that nobody knows yet."""

from __future__ import annotations

import numpy as np
import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.face.detection import Landmarks
from followyouremoji.framing import ModelFraming
from followyouremoji.live.portrait import TRAVEL, prepare_live, scaled, within_picture
from followyouremoji.media.cropping import Crop
from followyouremoji.media.pictures import read_layers
from followyouremoji.requests.bundled import portrait_landmarks, portrait_path
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Portrait

MODEL = ModelFraming(64, face_alone=True)


@pytest.fixture(scope="module")
def ada() -> Portrait:
    path = portrait_path("bundled:ada")
    layers, known = read_layers(path), portrait_landmarks(path)
    assert known is not None
    return Portrait(layers, (Landmarks(known, (512, 512)),))


def surrounded(found: Portrait, border: int) -> Portrait:
    """The portrait in the middle of a larger picture."""
    layers = np.pad(found.layers, ((border, border), (border, border), (0, 0)))
    size = (layers.shape[1], layers.shape[0])
    points = (found.faces[0].points + border) / size
    normalised = np.concatenate([points, found.faces[0].normalised[:, 2:]], axis=1)
    return Portrait(layers, (Landmarks(normalised.astype(np.float32), size),))


def test_the_longer_side_is_what_was_asked_for_and_never_enlarged(ada: Portrait) -> None:
    tall = Portrait(ada.layers[:, 100:400], ada.faces)
    assert scaled(tall, 256).layers.shape == (256, 150, 3)
    small = scaled(ada, 128)
    assert small.layers.shape == (128, 128, 3)
    np.testing.assert_allclose(small.faces[0].points, ada.faces[0].points / 4)
    assert scaled(ada, 1024) is ada
    assert scaled(ada, None) is ada
    with pytest.raises(SettingsError, match="at least"):
        scaled(ada, 8)


def test_frames_are_the_whole_portrait_and_its_own_pose_is_it(ada: Portrait) -> None:
    prepared, _ = prepare_live(scaled(ada, 256), 1, MODEL, AnimationSettings())
    assert prepared.output_size == (256, 256)
    assert np.array_equal(prepared.still, scaled(ada, 256).picture)
    warped = prepared.framing.warped(0)
    assert np.abs(warped.astype(int) - prepared.picture).mean() < 1.0


def test_a_face_in_a_large_picture_has_its_room_and_no_more_is_set_in_motion(ada: Portrait) -> None:
    found = surrounded(ada, 700)
    prepared, room = prepare_live(found, 1, MODEL, AnimationSettings())
    points = found.faces[0].points
    side = np.ptp(points, axis=0).max()
    np.testing.assert_allclose(room[:2], points.min(axis=0) - TRAVEL * side, rtol=1e-5)
    np.testing.assert_allclose(room[2:], points.max(axis=0) + TRAVEL * side, rtol=1e-5)
    crop = prepared.framing.crop
    assert crop.x < room[0] < room[2] < crop.x + crop.side
    assert crop.y < room[1] < room[3] < crop.y + crop.side
    assert crop.side < 3.5 * side
    assert prepared.output_size == found.faces[0].size


def test_a_square_stays_in_the_picture_as_far_as_it_can() -> None:
    assert within_picture(Crop(-50.0, 20.0, 300.0), (200, 100)) == Crop(0.0, 0.0, 200.0)
    assert within_picture(Crop(150.0, 30.0, 60.0), (200, 100)) == Crop(140.0, 30.0, 60.0)
    assert within_picture(Crop(10.0, 20.0, 60.0), (200, 100)) == Crop(10.0, 20.0, 60.0)


@pytest.mark.parametrize(("settings", "size"), [({"paste_back": False}, 64), ({"crop": False}, 512)])
def test_a_square_alone_or_the_middle_square(ada: Portrait, settings: dict[str, bool], size: int) -> None:
    whole = ModelFraming(64)
    prepared, room = prepare_live(ada, 1, whole, AnimationSettings(**settings))
    assert prepared.output_size == (size, size)
    assert room[2] <= 512.0


def test_other_faces_keep_their_pixels(ada: Portrait) -> None:
    layers = np.concatenate([ada.layers, ada.layers], axis=1)
    normalised = [ada.faces[0].normalised * (0.5, 1, 0.5) + (x, 0, 0) for x in (0.0, 0.5)]
    found = Portrait(layers, tuple(Landmarks(one.astype(np.float32), (1024, 512)) for one in normalised))
    prepared, _ = prepare_live(found, 1, MODEL, AnimationSettings())
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    changed = np.abs(prepared.finish(black, 0, white).astype(int) - found.picture).max(axis=-1)
    own, other = ((slice(200, 300), slice(200 + x, 300 + x)) for x in (0, 512))
    assert changed[own].mean() > 50
    assert changed[other].max() <= 1
