"""A crop shows what lies in it, to a fraction of a pixel, and goes back to where it came from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.media.cropping import FACE_MARGIN, FEATHER, HEAD_SHIFT, Crop, face_crop


def blob(width: int, height: int, x: float, y: float, sigma: float = 6.0) -> np.ndarray:
    """A light spot centred at (x, y), pixel centres at +0.5, on a dark ground."""
    across = np.arange(width) + 0.5 - x
    down = np.arange(height) + 0.5 - y
    light = 20 + 200 * np.exp(-(across[None, :] ** 2 + down[:, None] ** 2) / (2 * sigma**2))
    return np.repeat(np.rint(light)[..., None], 3, axis=2).astype(np.uint8)


def centre_of(picture: np.ndarray) -> np.ndarray:
    light = picture[..., 0].astype(float) - 20
    light[light < 10] = 0.0
    across = (light.sum(0) * (np.arange(light.shape[1]) + 0.5)).sum() / light.sum()
    down = (light.sum(1) * (np.arange(light.shape[0]) + 0.5)).sum() / light.sum()
    return np.array([across, down])


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(20.0, 60.0),
    y=st.floats(10.0, 40.0),
    side=st.floats(60.0, 110.0),
    size=st.sampled_from([32, 64, 96, 256]),
)
def test_cut_shows_points_where_to_crop_says(x: float, y: float, side: float, size: int) -> None:
    crop = Crop(x, y, side)
    place = np.array([x + 0.5 * side, y + 0.45 * side])
    shown = centre_of(crop.cut(blob(200, 160, *place), size))
    expected = crop.to_crop(place, size)
    assert np.abs(shown - expected).max() < 0.12 * max(1.0, size / side)
    np.testing.assert_allclose(crop.from_crop(expected, size), place)


def test_a_cut_at_its_own_size_is_the_picture_itself() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    np.testing.assert_array_equal(Crop(10.0, 20.0, 40.0).cut(picture, 40), picture[20:60, 10:50])


def test_shrinking_averages_areas() -> None:
    # One-pixel stripes alias into bands unless areas are averaged.
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    shrunk = Crop(0.0, 0.0, 256.0).cut(stripes, 60)
    assert shrunk.astype(int).min() > 100
    assert shrunk.astype(int).max() < 155


def test_outside_the_picture_its_edge_goes_on() -> None:
    picture = np.zeros((50, 50, 3), np.uint8)
    picture[:, :25] = (250, 10, 10)
    picture[:, 25:] = (10, 10, 250)
    cut = Crop(-40.0, -40.0, 130.0).cut(picture, 130)
    assert (cut[:, :60] == (250, 10, 10)).all()
    assert (cut[:, 70:] == (10, 10, 250)).all()
    for far in (Crop(500.0, 500.0, 30.0), Crop(-500.0, 10.0, 30.0)):
        assert far.cut(picture, 64).shape == (64, 64, 3)
        np.testing.assert_array_equal(far.paste(picture, np.zeros((64, 64, 3), np.uint8)), picture)


@pytest.mark.parametrize("size", [64, 100, 256])
def test_pasting_back_what_was_cut_changes_little(size: int) -> None:
    picture = blob(200, 160, 90.3, 70.8, sigma=15.0)
    crop = Crop(40.4, 20.7, 99.6)
    pasted = crop.paste(picture, crop.cut(picture, size))
    assert np.abs(pasted.astype(int) - picture).max() <= 3


def test_a_paste_lands_to_a_fraction_of_a_pixel() -> None:
    crop = Crop(30.3, 22.6, 101.0)
    dark = np.full((160, 200, 3), 20, np.uint8)
    for size in (64, 101, 256):
        result = blob(size, size, 0.5 * size, 0.4 * size, sigma=0.06 * size)
        place = crop.from_crop(np.array([0.5 * size, 0.4 * size]), size)
        assert np.abs(centre_of(crop.paste(dark, result)) - place).max() < 0.12


def test_the_edge_is_feathered_and_the_rest_untouched() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    crop = Crop(50.0, 50.0, 100.0)
    before = picture.copy()
    pasted = crop.paste(picture, np.full((128, 128, 3), 200, np.uint8))
    np.testing.assert_array_equal(picture, before)
    row = pasted[100, :, 0].astype(int)
    assert (row[:50] == 0).all()
    assert (row[150:] == 0).all()
    edge = int(np.ceil(FEATHER * crop.side))
    assert (row[50 + edge : 150 - edge] == 200).all()
    assert (np.diff(row[50 : 50 + edge]) > 0).all()
    assert np.abs(np.diff(row)).max() < 200 * 2.0 / (FEATHER * crop.side)  # no step that the eye would find


def test_no_feather_at_the_border_of_the_picture() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    result = np.full((64, 64, 3), 200, np.uint8)
    assert (Crop(0.0, 0.0, 100.0).paste(picture, result) == 200).all()
    reaching_out = Crop(-30.0, 20.0, 90.0).paste(picture, result)
    assert (reaching_out[40:80, :40] == 200).all()


def test_weights_say_how_much_shows() -> None:
    picture, result = np.zeros((100, 140, 3), np.uint8), np.full((64, 64, 3), 200, np.uint8)
    crop = Crop(-20.0, 30.0, 90.0)
    part, edge = crop.edge((140, 100))
    assert part == (slice(30, 100), slice(0, 70))
    np.testing.assert_array_equal(crop.paste(picture, result, edge), crop.paste(picture, result))
    half = crop.paste(picture, result, edge / 2)
    np.testing.assert_allclose(half, crop.paste(picture, result) / 2.0, atol=1)
    np.testing.assert_array_equal(crop.paste(picture, result, 0 * edge), picture)
    outside, nothing = Crop(300.0, 300.0, 50.0).edge((140, 100))
    assert picture[outside].size == nothing.size == 0


def test_face_crop_by_its_numbers() -> None:
    points = np.array([[100.0, 200.0], [180.0, 320.0], [140.0, 250.0]])  # a box of 80 x 120
    crop = face_crop(points)
    assert crop.side == pytest.approx(FACE_MARGIN * 120.0) == pytest.approx(240.0)
    assert crop.x + crop.side / 2 == pytest.approx(140.0)
    assert crop.y + crop.side / 2 == pytest.approx(260.0 - HEAD_SHIFT * 120.0) == pytest.approx(248.0)
    assert face_crop(points, margin=1.5).side == pytest.approx(180.0)


def test_face_crop_of_a_motion_holds_every_frame() -> None:
    face = np.random.default_rng(2).uniform(0.0, 100.0, (478, 2))
    motion = np.stack([face + np.array([12.0, -7.0]) * step for step in range(5)])
    motion[2] = np.nan  # a frame in which no face was found
    crop = face_crop(motion)
    inside = crop.to_crop(motion[[0, 1, 3, 4]], 1)
    assert inside.min() > 0.0
    assert inside.max() < 1.0
    assert crop.side == pytest.approx(face_crop(face).side, rel=0.6)
    np.testing.assert_allclose(face_crop(motion[:1]).side, face_crop(face).side)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="landmarks"):
        face_crop(np.full((478, 2), np.nan))
    with pytest.raises(ValueError, match="positive side"):
        Crop(0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="finite"):
        Crop(float("nan"), 0.0, 5.0)


def test_of_a_crop_with_the_picture_s_own_pixels_the_part_inside_is_enough() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (90, 120, 3), np.uint8)
    crop = Crop(-20.0, 15.0, 100.0)
    assert crop.keeps_pixels(100)
    assert not crop.keeps_pixels(90)
    assert not Crop(-20.5, 15.0, 100.0).keeps_pixels(100)
    part = crop.within((120, 90), 100)
    assert part == (slice(0, 75), slice(20, 100))
    assert crop.within((120, 90), 90) == (slice(0, 90), slice(0, 90))
    result = rng.integers(0, 256, (100, 100, 3), np.uint8)
    of_part, of_whole = picture.copy(), picture.copy()
    crop.paste_into(of_part, result[part], cut=100)
    crop.paste_into(of_whole, result)
    np.testing.assert_array_equal(of_part, of_whole)
    np.testing.assert_array_equal(of_part, crop.paste(picture, result))
    resampled = picture.copy()
    crop.paste_into(resampled, result[:90, :90], cut=90)  # cut at another size, it is the whole crop
    np.testing.assert_array_equal(resampled, crop.paste(picture, result[:90, :90]))
