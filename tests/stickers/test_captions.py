"""Captions: where letters stand, how they are shaped, and what cannot be drawn."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import features

from followyouremoji.stickers import captions
from followyouremoji.stickers.captions import CaptionError, draw_caption, find_font, font_files

SIZE = (320, 320)
needs_fonts = pytest.mark.skipif(not font_files(), reason="this computer has no fonts")
needs_raqm = pytest.mark.skipif(not features.check("raqm"), reason="this Pillow has no Raqm")
pytestmark = needs_fonts


def needs_letters(text: str) -> None:
    try:
        find_font(text)
    except CaptionError:
        pytest.skip("no font of this computer has these letters")


def white(layer: np.ndarray) -> np.ndarray:
    """Where letters are."""
    return (layer[..., 3] > 128) & (layer[..., :3].min(axis=2) > 128)


def lines(layer: np.ndarray) -> int:
    """How many, by the rows of the picture with letters whose feet stand on a line."""
    rows = white(layer).any(axis=1).astype(int)
    return int((np.diff(np.concatenate([[0], rows])) == 1).sum())


@pytest.mark.parametrize("place", ["top", "bottom"])
def test_a_caption_stands_at_its_edge_in_the_middle_and_within(place) -> None:
    layer = draw_caption(SIZE, "HELLO", place)
    assert layer.shape == (320, 320, 4)
    assert layer.dtype == np.uint8
    rows, columns = np.flatnonzero(layer[..., 3].any(axis=1)), np.flatnonzero(layer[..., 3].any(axis=0))
    gap = rows[0] if place == "top" else 319 - rows[-1]
    assert 4 <= gap <= 9  # a fiftieth of the side
    assert columns[0] == pytest.approx(319 - columns[-1], abs=2)
    assert np.ptp(rows) < 60


def test_letters_are_white_with_a_dark_outline() -> None:
    layer = draw_caption(SIZE, "HELLO")
    letters = white(layer)
    around = cv2.dilate(letters.astype(np.uint8), np.ones((3, 3))).astype(bool) & ~letters
    assert letters.sum() > 500
    assert (layer[around][:, 3] > 250).all()  # no letter touches what lies behind
    assert np.median(layer[around][:, :3]) < 128


def test_longer_text_gets_smaller_and_then_two_lines() -> None:
    short, longer, longest = (
        draw_caption(SIZE, text) for text in ("HI", "HELLO YOU 2", "HELLO YOU ALL TOGETHER HERE")
    )
    assert [lines(layer) for layer in (short, longer, longest)] == [1, 1, 2]
    for layer in (short, longer, longest):
        assert not layer[:, :4, 3].any()
        assert not layer[:, -4:, 3].any()


def test_a_line_break_is_kept() -> None:
    assert lines(draw_caption(SIZE, "A\nB")) == 2


def test_more_than_fits_is_refused_with_how_much_does() -> None:
    text = "WORD " * 40
    with pytest.raises(CaptionError, match="199 letters, of which about") as refused:
        draw_caption(SIZE, text)
    assert refused.value.settings == ("caption",)
    fitting = int(str(refused.value).split("about ")[1].split()[0])
    assert 10 < fitting < 150
    draw_caption(SIZE, text[:fitting])
    with pytest.raises(CaptionError):
        draw_caption(SIZE, text[: fitting + 5])
    with pytest.raises(CaptionError, match="letters"):
        draw_caption(SIZE, "A\nB\nC")
    with pytest.raises(CaptionError, match="empty"):
        draw_caption(SIZE, " \n ")


@needs_raqm
def test_hebrew_is_read_from_right_to_left() -> None:
    needs_letters("שי")
    for text, yod_left in (("שי", True), ("יש", False)):
        seen = np.flatnonzero(white(draw_caption(SIZE, text)).any(axis=0))
        (gap,) = np.flatnonzero(np.diff(seen) > 1)
        # yod is a small stroke, shin as wide as high
        assert (seen[gap] - seen[0] < seen[-1] - seen[gap + 1]) == yod_left, text


@needs_raqm
def test_the_second_line_runs_as_the_first() -> None:
    needs_letters("שלום")
    alone = white(draw_caption(SIZE, "WORD!"))
    below = white(draw_caption(SIZE, "שלום\nWORD!"))

    def mark_left(ink: np.ndarray) -> bool:
        """Whether the exclamation mark, narrow, stands left of the word."""
        seen = np.flatnonzero(ink[275:].any(axis=0))
        gaps = np.flatnonzero(np.diff(seen) > 1)
        return bool(seen[gaps[0]] - seen[0] < seen[-1] - seen[gaps[-1] + 1])

    assert not mark_left(alone)
    assert mark_left(below)


@needs_raqm
def test_arabic_letters_are_joined() -> None:
    needs_letters("سسس")

    def pieces(text: str) -> int:
        return cv2.connectedComponents(white(draw_caption(SIZE, text)).astype(np.uint8))[0] - 1

    assert pieces("سسس") == 1
    assert pieces("س\u200cس\u200cس") == 3  # what forbids them to join


def test_without_raqm_scripts_that_need_it_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(captions.features, "check", lambda _: False)
    for text in ("مرحبا", "שלום", "नमस्ते", "สวัสดี"):
        with pytest.raises(CaptionError, match="without Raqm"):
            draw_caption(SIZE, text)
    assert white(draw_caption(SIZE, "HELLO Привет 3")).any()


def test_the_font_has_all_letters() -> None:
    font = find_font("Añž3!")
    np.testing.assert_array_equal(draw_caption(SIZE, "Añž3!"), draw_caption(SIZE, "Añž3!", font=font))
    assert not any("lastresort" in path.stem.lower() for path in font_files())
    with pytest.raises(CaptionError, match=r"no font of this computer has all letters.*U\+10FFFD"):
        find_font("A\U0010fffd")  # for private use


def test_a_given_font_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(CaptionError, match="there is no font file") as refused:
        draw_caption(SIZE, "A", font=tmp_path / "none.ttf")
    assert refused.value.settings == ("caption", "font")
    (tmp_path / "text.ttf").write_text("not a font")
    with pytest.raises(CaptionError, match="is not a font"):
        draw_caption(SIZE, "A", font=tmp_path / "text.ttf")
    with pytest.raises(CaptionError, match=r"lacks letters of the caption: .*U\+10FFFD"):
        draw_caption(SIZE, "A\U0010fffd", font=find_font("A"))


def test_a_computer_without_fonts(monkeypatch) -> None:
    monkeypatch.setattr(captions, "font_files", lambda: ())
    with pytest.raises(CaptionError, match="no font was found"):
        draw_caption(SIZE, "A")


def test_letters_of_scripts_without_blanks_may_be_parted() -> None:
    assert captions._breaks("漢字、仮名") == [1, 3, 4]  # not before the comma
    assert captions._breaks("ab cd") == [2]
