"""Animated PNGs of few colours, put together frame by frame, as Pillow decodes them."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.stickers.apng import animated_png
from followyouremoji.stickers.checking import read_facts, read_frames
from followyouremoji.stickers.clip import Clip, Picture
from followyouremoji.stickers.palettes import Indexer, make_palette
from tests.stickers.clips import faces

PALETTE = np.array([[0, 0, 0, 0], [255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 128]], np.uint8)
BLENDING = 25  # place of it in the data of a frame control (PNG, third edition, 11.3.5.2)


def decoded(path: Path, pictures: list[np.ndarray]) -> list[np.ndarray]:
    clip = Clip([Picture(PALETTE[one]) for one in pictures], Fraction(len(pictures), 10), 2)
    path.write_bytes(animated_png(pictures, PALETTE, clip))
    return read_frames(path)


def blendings(path: Path) -> list[int]:
    pieces = path.read_bytes().split(b"fcTL")[1:]
    return [piece[BLENDING] for piece in pieces]


@pytest.mark.parametrize(("colours", "laid_over"), [((1, 2), True), ((1, 2, 3), False), ((0, 1), False)])
def test_frames_come_back_as_they_were(tmp_path: Path, colours: tuple[int, ...], laid_over: bool) -> None:
    """Only where nothing loses opacity can changed pixels lie over what was there."""
    random = np.random.default_rng(0)
    still = random.choice(colours, (40, 30)).astype(np.uint8)
    pictures = [still]
    for _ in range(4):
        changes = random.random(still.shape) < 0.05
        pictures.append(np.where(changes, random.choice(colours, still.shape), pictures[-1]).astype(np.uint8))
    for made, picture in zip(decoded(tmp_path / "a.png", pictures), pictures, strict=True):
        seen = PALETTE[picture][..., 3] > 0
        np.testing.assert_array_equal(made[..., 3], PALETTE[picture][..., 3])
        np.testing.assert_array_equal(made[seen], PALETTE[picture][seen])
    assert (1 in blendings(tmp_path / "a.png")) == laid_over


def test_a_frame_that_stands_still_is_one_too(tmp_path: Path) -> None:
    pictures = [np.ones((20, 20), np.uint8)] * 3
    assert len(decoded(tmp_path / "a.png", pictures)) == 3
    facts = read_facts(tmp_path / "a.png")
    assert (facts.times, facts.loops) == (pytest.approx((0.1,) * 3), 2)


def test_a_palette_has_no_more_entries_than_asked_and_begins_with_none() -> None:
    frames = faces(3, (64, 64))
    for soft in (True, False):
        palette = make_palette(frames, 16, soft)
        assert len(palette) <= 16
        assert not palette[0].any()
        assert set(palette[1:, 3]) == {255} or soft
    np.testing.assert_array_equal(make_palette(frames, 16), make_palette(frames, 16))


def test_each_pixel_gets_the_nearest_entry() -> None:
    frame = faces(1, (48, 48))[0]
    palette = make_palette([frame], 12, soft=False)
    places = Indexer(palette, soft=False)(frame)
    shown = frame[..., 3] >= 128
    np.testing.assert_array_equal(places > 0, shown)
    distances = ((frame[shown][:, None, :3].astype(int) - palette[None, 1:, :3]) ** 2).sum(axis=2)
    got = ((frame[shown][:, :3].astype(int) - palette[places[shown], :3]) ** 2).sum(axis=1)
    assert (np.sqrt(got) - np.sqrt(distances.min(axis=1))).max() < 8  # colours are looked up by six bits
