"""The square of a model that makes faces alone: of large pictures nothing is resampled but by the warp."""

import gc
import weakref

import cv2
import numpy as np
import pytest

from followyouremoji.face.topology import mean_face
from followyouremoji.face.warping import warp_into_window, warp_portrait
from followyouremoji.framing import KEPT_WARPS, FaceAlone, ModelFraming, frame_portrait
from followyouremoji.media.cropping import Crop

WINDOW = 64
SIDE = 2149  # of the square, pixels


def face_points(side: float) -> np.ndarray:
    face = mean_face()[:, :2] * (1, -1)
    face = side / 2 + 0.45 * side * (face - face.mean(axis=0)) / np.ptp(face, axis=0).max()
    return np.concatenate([face, face[:10]])


def texture(side: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (side // 4, side // 4, 3), np.uint8)
    return cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def large() -> tuple[np.ndarray, Crop, FaceAlone]:
    """A square that is not enlarged, in a picture that it reaches out of."""
    picture = texture(SIDE + 35)
    crop = Crop(-20.4, 30.2, SIDE + 0.3)
    own = crop.from_crop(face_points(SIDE), SIDE)
    turned = own + np.array([0.02, -0.01]) * SIDE
    model = ModelFraming(WINDOW, face_alone=True)
    face = frame_portrait(picture, own, np.stack([own, turned]), crop, model)
    assert isinstance(face, FaceAlone)
    return picture, face.crop, face


def test_a_large_square_is_the_picture_s_own_pixels(large: tuple[np.ndarray, Crop, FaceAlone]) -> None:
    picture, crop, face = large
    assert (face.crop.x, face.crop.y, face.crop.side) == (-20, 30, SIDE)
    assert face.square.shape[0] == crop.side
    np.testing.assert_array_equal(
        face.square[:, 20:], picture[30 : 30 + face.square.shape[0], : face.square.shape[0] - 20]
    )
    np.testing.assert_array_equal(crop.paste(picture, face.square), picture)


def test_what_is_bent_of_it_is_resampled_once(large: tuple[np.ndarray, Crop, FaceAlone]) -> None:
    """Inside the feathered edge the pasted frame is the warped square to the bit."""
    picture, crop, face = large
    warped = warp_portrait(face.square, face.own_points, face.points_in_picture[1])
    pasted = crop.paste(picture, warped)
    inner = np.s_[300:1800, 300:1800]
    np.testing.assert_array_equal(pasted[330:1830, 280:1780], warped[inner])


def test_bands_of_a_bent_picture_join() -> None:
    """A picture warped in bands of rows against the same computed as a whole."""
    side = 700
    picture, own = texture(side), face_points(side)
    points = own + np.random.default_rng(1).normal(0, 3, own.shape)
    whole = warp_portrait(picture, own, points)
    # Warped upside down, the bands begin elsewhere.
    flip = np.array([1, -1])
    other = warp_portrait(picture[::-1].copy(), own * flip + (0, side), points * flip + (0, side))[::-1]
    assert np.abs(whole.astype(int) - other).mean() < 0.1
    assert np.abs(whole.astype(int) - other).max() <= 8  # OpenCV resamples in steps of 1/32 pixel


def test_kept_warps_are_few_and_go_with_their_face(large: tuple[np.ndarray, Crop, FaceAlone]) -> None:
    """At once, not when Python looks for circles: a live session makes ten faces a second."""
    _, _, face = large
    many = face.posed(
        np.repeat(face.crop.from_crop(face.points_in_picture[:1], SIDE), KEPT_WARPS + 3, axis=0)
    )
    first = many.warped(0)
    assert many.warped(0) is first
    for frame in range(KEPT_WARPS + 3):
        many.warped(frame)
    assert many.warped(0) is not first
    gone = weakref.ref(many)
    gc.disable()
    try:
        del many
        assert gone() is None
    finally:
        gc.enable()


def test_warping_a_large_square_remembers_what_it_shrank(
    large: tuple[np.ndarray, Crop, FaceAlone],
) -> None:
    _, _, face = large
    for frame in (0, 1):
        direct = warp_into_window(
            face.square, face.own_points, face.points_in_picture[frame], face.windows[frame]
        )
        np.testing.assert_array_equal(face.warped(frame), direct)
        np.testing.assert_array_equal(face.warped(frame), direct)
