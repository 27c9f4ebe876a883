"""Frames of stickers: what is trimmed, how it is scaled, and the outline."""

import numpy as np
import pytest

from followyouremoji.errors import PictureError
from followyouremoji.stickers.captions import CaptionError, font_files
from followyouremoji.stickers.composing import (
    arrange,
    compose,
    laid_over,
    opaque_box,
    scale_part,
    with_outline,
)

RED = (230, 20, 10)


def disc(side: int, radius: float, middle: tuple[float, float] | None = None) -> np.ndarray:
    """A red disc, one pixel soft, whose colours outside are green: uint8 (side, side, 4)."""
    x, y = middle or (side / 2, side / 2)
    rows, columns = np.indices((side, side)) + 0.5
    opacity = np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1)
    layers = np.zeros((side, side, 4), np.uint8)
    layers[...] = (0, 255, 0, 0)
    layers[opacity > 0, :3] = RED
    layers[..., 3] = np.rint(255 * opacity)
    return layers


def block(left: int, top: int, right: int, bottom: int, side: int = 100) -> np.ndarray:
    layers = np.zeros((side, side, 4), np.uint8)
    layers[top:bottom, left:right] = (*RED, 255)
    return layers


def seen_box(frame: np.ndarray) -> tuple[int, int, int, int]:
    return opaque_box([frame])


def test_the_box_holds_what_is_seen_in_any_frame() -> None:
    assert opaque_box([block(10, 20, 30, 40), block(25, 5, 60, 30)]) == (10, 5, 60, 40)


def test_nothing_opaque_is_refused_before_the_first_frame() -> None:
    with pytest.raises(PictureError, match="all of it is transparent"):
        compose([np.zeros((50, 50, 4), np.uint8)], (64, 64))


@pytest.mark.parametrize("side", [40, 97, 300])
def test_scaling_mixes_no_colour_from_under_transparency(side) -> None:
    scaled = scale_part(disc(128, 50), (0, 0, 128, 128), (side, side))
    assert scaled.shape == (side, side, 4)
    shown = np.abs(scaled[..., :3].astype(float) - RED) * scaled[..., 3:] / 255.0
    assert shown.max() < 4  # of 255: eight bits, weighted by opacity
    assert np.abs(scaled[scaled[..., 3] == 255, :3].astype(int) - RED).max() <= 1
    area = scaled[..., 3].sum() / 255.0 / side**2
    assert area == pytest.approx(np.pi * 50**2 / 128**2, rel=0.01)


@pytest.mark.parametrize("width", [2.0, 8.0, 12.5])
def test_the_outline_is_white_and_evenly_wide(width) -> None:
    outlined = with_outline(disc(200, 60.0), width)
    opacity = outlined[..., 3] / 255.0
    assert np.sqrt(opacity.sum() / np.pi) == pytest.approx(60 + width, abs=0.25)
    directions = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    for direction in directions:
        along = np.arange(0, 95, 0.25)
        x, y = 100 + along * np.cos(direction), 100 + along * np.sin(direction)
        passed = opacity[y.astype(int), x.astype(int)]
        assert along[np.flatnonzero(passed >= 0.5)[-1]] == pytest.approx(60 + width, abs=0.9)
    ring = np.hypot(*(np.indices((200, 200)) + 0.5 - 100))
    assert (outlined[(ring > 62) & (ring < 60 + width - 1)] == 255).all()
    np.testing.assert_array_equal(outlined[ring < 58], disc(200, 60.0)[ring < 58])
    assert len(np.unique(outlined[..., 3])) > 8  # a soft edge


def test_an_outline_of_nothing_is_nothing() -> None:
    nothing = np.zeros((20, 20, 4), np.uint8)
    np.testing.assert_array_equal(with_outline(nothing, 4.0), nothing)


def test_over_is_that_of_porter_and_duff() -> None:
    upper = np.full((2, 2, 4), (200, 100, 0, 128), np.uint8)
    lower = np.full((2, 2, 4), (0, 100, 200, 255), np.uint8)
    share = 128 / 255
    expected = (200 * share, 100, 200 * (1 - share), 255)
    np.testing.assert_allclose(laid_over(upper, lower)[0, 0], expected, atol=1)


@pytest.mark.parametrize(("box", "size"), [((10, 20, 50, 40), (512, 512)), ((0, 0, 30, 90), (320, 270))])
def test_frames_are_trimmed_and_fill_the_sticker(box, size) -> None:
    (sticker,) = compose([block(*box)], size)
    assert sticker.shape == (size[1], size[0], 4)
    assert sticker.dtype == np.uint8
    left, top, right, bottom = seen_box(sticker)
    margin = 0.02 * min(size)
    gaps = (left, size[0] - right, top, size[1] - bottom)
    assert min(gaps) == pytest.approx(margin, abs=2)
    assert abs(gaps[0] - gaps[1]) <= 1
    assert abs(gaps[2] - gaps[3]) <= 1
    red = opaque_box([np.where(sticker[..., 1:2] < 128, sticker, 0)])
    aspect = (box[2] - box[0]) / (box[3] - box[1])
    assert (red[2] - red[0]) / (red[3] - red[1]) == pytest.approx(aspect, rel=0.02)
    assert red[0] - left == pytest.approx(min(size) * 8 / 512, abs=1)  # the outline that WhatsApp asks for


def test_a_sticker_that_need_not_be_exact_is_as_large_as_its_frames() -> None:
    (high,) = compose([block(20, 10, 50, 90)], (512, 512), exact=False)
    assert high.shape[0] == 512
    assert 180 < high.shape[1] < 260
    assert high.shape[1] % 2 == 0
    (wide,) = compose([block(10, 20, 90, 50)], (512, 512), exact=False, outline=False)
    assert wide.shape[1] == 512
    assert wide.shape[0] < 260
    assert wide.shape[0] % 2 == 0


def test_what_stands_still_does_so_in_all_frames() -> None:
    still = block(10, 10, 40, 90)
    frames = [laid_over(block(x, 20, x + 20, 60), still) for x in (40, 60, 75)]
    first, *others = compose(frames, (128, 128), outline=False)
    for other in others:
        np.testing.assert_array_equal(other[:, :40], first[:, :40])


def test_frames_are_made_as_they_are_asked_for() -> None:
    frames = [block(10, 10, 40, 90), block(50, 10, 80, 90)]
    stickers = compose(frames, (64, 64))
    next(stickers)
    frames[1][:] = frames[0]
    assert seen_box(next(stickers))[2] < 40


@pytest.mark.skipif(not font_files(), reason="this computer has no fonts")
@pytest.mark.parametrize("place", ["top", "bottom"])
def test_a_caption_lies_over_the_edge_of_frames_that_make_room(place) -> None:
    frames = [block(10, 10, 90, 90)]
    (plain,) = compose(frames, (256, 256))
    (captioned,) = compose(frames, (256, 256), exact=False, caption="HI", place=place)
    assert captioned.shape == plain.shape
    bare, moved = (
        opaque_box([np.where((image[..., 0:1] > 180) & (image[..., 1:2] < 60), image, 0)])
        for image in (plain, captioned)
    )
    assert moved[3] - moved[1] < bare[3] - bare[1]
    assert (moved[1] > bare[1] + 6) if place == "top" else (moved[3] < bare[3] - 6)
    with pytest.raises(CaptionError):
        compose(frames, (256, 256), caption="far too long " * 20)


def test_an_arrangement_keeps_within_the_sticker() -> None:
    for box in ((0, 0, 1, 500), (0, 0, 500, 1), (3, 4, 5, 6)):
        for size in ((512, 512), (128, 128), (320, 270)):
            for exact in (True, False):
                placed = arrange(box, size, exact)
                left, top, right, bottom = placed.target
                assert 0 <= left < right <= placed.size[0] <= size[0]
                assert 0 <= top < bottom <= placed.size[1] <= size[1]
