"""Transparent pictures: read with their opacity, resampled without the colours that nobody sees, kept in every file
that can keep them, and laid on a background in the others."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import SettingsError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.decoding import _says_transparent
from followyouremoji.media.pictures import (
    colour,
    off_white,
    on_background,
    read_layers,
    read_picture,
    resize_picture,
    spread_colours,
    write_picture,
)
from followyouremoji.media.writing import ClipWriter

STICKER = Path(__file__).parents[2].parent / "shared" / "cases" / "sticker.png"
GROUNDS = ((255, 255, 255), (20, 20, 20), (40, 160, 80))
SIZE = (96, 64)
HIDDEN = (255, 0, 255)  # a colour under full transparency, which must not show anywhere


def disc(index: int = 0, hidden: tuple[int, int, int] = HIDDEN) -> np.ndarray:
    """An orange disc of softened edge, which moves by two pixels a frame, uint8 (64, 96, 4)."""
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]] + 0.5
    edge = 22.0 - np.hypot(columns - 36 - 2 * index, rows - 32)
    layers = np.empty((SIZE[1], SIZE[0], 4), np.uint8)
    layers[..., 3] = np.rint(255 * np.clip(edge / 3 + 0.5, 0, 1))
    layers[..., :3] = (230, 140, 40)
    layers[..., 2] += (columns % 24).astype(np.uint8)
    layers[layers[..., 3] == 0, :3] = hidden
    return layers


def on(layers: np.ndarray, ground: tuple[int, int, int]) -> np.ndarray:
    """What a viewer shows: float (height, width, 3)."""
    opacity = layers[..., 3:] / 255
    return layers[..., :3] * opacity + np.array(ground) * (1 - opacity)


def by_pillow(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        shown = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            shown.append(np.asarray(image.convert("RGBA")))
    return shown


def from_folder(path: Path) -> list[np.ndarray]:
    return [by_pillow(frame)[0] for frame in sorted(path.iterdir())]


def by_libvpx(path: Path) -> list[np.ndarray]:
    """FFmpeg's own decoder of VP9 leaves out opacity; libvpx, as in browsers, reads it."""
    with av.open(f"file:{path}") as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        decoder.extradata = stream.codec_context.extradata
        frames = [
            frame
            for packet in container.demux(stream)
            for frame in decoder.decode(packet if packet.size else None)
        ]
    assert {frame.format.name for frame in frames} == {"yuva420p"}
    return [frame.reformat(format="rgba", src_colorspace="ITU709").to_ndarray() for frame in frames]


def write(path: Path, frames: list[np.ndarray], **options) -> None:
    with ClipWriter(path, 25.0, SIZE, **options) as writer:
        for frame in frames:
            writer.write(frame)


def test_laid_on_white_and_taken_off_it_a_picture_looks_the_same_on_every_ground() -> None:
    layers = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    again = off_white(on_background(layers), layers[..., 3])
    for ground in GROUNDS:
        assert np.abs(on(again, ground) - on(layers, ground)).max() <= 1.0


def test_resampled_on_white_no_hidden_colour_comes_into_the_edge() -> None:
    """Against colours weighted by opacity, which is how it ought to be done."""
    layers = disc()
    size = (41, 27)
    shrunk = off_white(
        cv2.resize(on_background(layers), size, interpolation=cv2.INTER_AREA),
        cv2.resize(layers[..., 3], size, interpolation=cv2.INTER_AREA),
    )
    opacity = layers[..., 3:].astype(np.float32) / 255
    weighted = cv2.resize(np.dstack([layers[..., :3] * opacity, opacity]), size, interpolation=cv2.INTER_AREA)
    for ground in GROUNDS:
        expected = weighted[..., :3] + np.array(ground) * (1 - weighted[..., 3:])
        assert np.abs(on(shrunk, ground) - expected).max() < 1.5


def test_a_scaled_picture_has_no_hidden_colour_in_its_edge() -> None:
    half = resize_picture(disc(), (48, 32))
    seen = half[half[..., 3] > 30]
    assert np.abs(seen[:, 1].astype(int) - 140).max() <= 8  # of HIDDEN it is 0


def test_hidden_colours_become_those_beside_them() -> None:
    spread = spread_colours(disc())
    np.testing.assert_array_equal(spread[..., 3], disc()[..., 3])
    np.testing.assert_array_equal(spread[disc()[..., 3] > 0], disc()[disc()[..., 3] > 0])
    assert np.abs(spread[..., :3].astype(int) - (230, 140, 50)).max() < 16
    nothing = np.zeros((7, 5, 4), np.uint8)
    np.testing.assert_array_equal(spread_colours(nothing), nothing)


def test_pictures_are_read_with_their_opacity(tmp_path: Path) -> None:
    Image.fromarray(disc()).save(tmp_path / "disc.png")
    np.testing.assert_array_equal(read_layers(tmp_path / "disc.png"), disc())
    np.testing.assert_allclose(read_picture(tmp_path / "disc.png"), on(disc(), GROUNDS[0]), atol=0.51)
    full = disc()
    full[..., 3] = 255
    Image.fromarray(full).save(tmp_path / "full.png")
    np.testing.assert_array_equal(read_layers(tmp_path / "full.png"), full[..., :3])
    grey = Image.fromarray(disc()).convert("LA")
    grey.save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_layers(tmp_path / "grey.png"), np.asarray(grey.convert("RGBA")))
    indexed = Image.fromarray(disc()[..., :3]).quantize(8)
    indexed.save(tmp_path / "palette.png", transparency=indexed.getpixel((0, 0)))
    assert (read_layers(tmp_path / "palette.png")[..., 3] == np.where(disc()[..., 3] > 0, 255, 0)).all()


KEPT: dict[str, tuple[Callable[[Path], list[np.ndarray]], float]] = {
    "made.webp": (by_pillow, 6.0),
    "made.apng": (by_pillow, 0.0),
    "made": (from_folder, 0.0),
    "made.webm": (by_libvpx, 6.0),
}


@pytest.mark.parametrize("name", KEPT)
def test_opacity_is_kept(tmp_path: Path, name: str) -> None:
    """Lossless kinds to the bit; lossy ones without a rim on any ground, though their chroma is of half resolution."""
    frames = [disc(index) for index in range(6)]
    write(tmp_path / name, frames)
    read, most = KEPT[name]
    shown = read(tmp_path / name)
    assert len(shown) == len(frames)
    for made, frame in zip(shown, frames, strict=True):
        for ground in GROUNDS:
            off = np.abs(on(made, ground) - on(frame, ground))
            assert off.max() <= 8 * most
            assert off.mean() <= most / 3


def test_a_webm_that_is_encoded_in_less_time_keeps_it_too(tmp_path: Path) -> None:
    frames = [disc(index) for index in range(6)]
    write(tmp_path / "made.webm", frames, quick=True)
    shown = by_libvpx(tmp_path / "made.webm")
    assert len(shown) == len(frames)
    for made, frame in zip(shown, frames, strict=True):
        assert np.abs(made[..., 3].astype(int) - frame[..., 3]).mean() < 3.0


def test_a_webm_says_that_it_is_transparent(tmp_path: Path) -> None:
    """In the element AlphaMode (RFC 9559, section 5.1.4.1.28.4), without which browsers show the colours alone."""
    write(tmp_path / "made.webm", [disc()])
    assert bytes.fromhex("53c08101") in (tmp_path / "made.webm").read_bytes()[:2000]


@pytest.mark.parametrize("key", ["alpha_mode", "ALPHA_MODE"])
def test_a_transparent_webm_is_read_on_white(tmp_path: Path, key: str) -> None:
    """FFmpeg gives the element in small letters, and in capitals since its version 8."""
    assert _says_transparent({key: "1"})
    assert not _says_transparent({key: "0"})
    write(tmp_path / "made.webm", [disc()] * 2)
    with ClipReader(tmp_path / "made.webm") as clip:
        for _, shown in clip:
            assert np.abs(shown - on(disc(), (255, 255, 255))).mean() < 3.0
            assert shown[:8, :8].min() > 245


def test_a_gif_is_opaque_from_half_opacity_on_in_the_colours_of_the_picture(tmp_path: Path) -> None:
    frames = [disc(index) for index in range(6)]
    write(tmp_path / "made.gif", frames)
    shown = by_pillow(tmp_path / "made.gif")
    assert len(shown) == len(frames)
    for made, frame in zip(shown, frames, strict=True):
        assert set(np.unique(made[..., 3])) == {0, 255}
        np.testing.assert_array_equal(made[..., 3] > 0, frame[..., 3] >= 128)
        seen = made[..., 3] > 0
        assert np.abs(made[seen, :3].astype(int) - frame[seen, :3]).max() < 24  # the palette's dithering


@pytest.mark.parametrize(("background", "ground"), [(None, (255, 255, 255)), ((40, 160, 80), (40, 160, 80))])
@pytest.mark.parametrize("name", ["made.mp4", "made.webm", "made.apng"])
def test_a_background_shows_through(
    tmp_path: Path, name: str, background: tuple[int, int, int] | None, ground: tuple[int, int, int]
) -> None:
    """White in an MP4 by default; the colour that is asked for in every kind."""
    if background is None and name != "made.mp4":
        background = ground
    write(tmp_path / name, [disc()] * 2, background=background)
    with av.open(str(tmp_path / name)) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(shown - on(disc(), ground)).mean() < 4.0
    if name.endswith("apng"):
        assert (by_pillow(tmp_path / name)[0][..., 3] == 255).all()


def test_single_pictures(tmp_path: Path) -> None:
    for name in ("one.png", "one.webp"):
        write_picture(tmp_path / name, disc())
        (made,) = by_pillow(tmp_path / name)
        assert np.abs(made[..., 3].astype(int) - disc()[..., 3]).max() == 0
    np.testing.assert_array_equal(by_pillow(tmp_path / "one.png")[0], disc())
    write_picture(tmp_path / "one.jpg", disc())
    assert np.abs(read_layers(tmp_path / "one.jpg") - on(disc(), GROUNDS[0])).mean() < 3.0
    write_picture(tmp_path / "blue.png", disc(), background=(0, 0, 200))
    np.testing.assert_allclose(read_layers(tmp_path / "blue.png"), on(disc(), (0, 0, 200)), atol=0.51)


def test_one_frame_is_a_clip_too(tmp_path: Path) -> None:
    for name, (read, _) in KEPT.items():
        write(tmp_path / name, [disc()])
        (made,) = read(tmp_path / name)
        np.testing.assert_array_equal(made[..., 3] > 127, disc()[..., 3] > 127)


def test_frames_with_and_without_opacity_do_not_go_into_one_clip(tmp_path: Path) -> None:
    for frames in ([disc(), disc()[..., :3]], [disc()[..., :3], disc()]):
        with pytest.raises(ValueError, match="all frames"):
            write(tmp_path / "made.webp", frames)
    assert list(tmp_path.iterdir()) == []


def test_colours_by_name_and_number() -> None:
    assert colour("white") == (255, 255, 255)
    assert colour("SteelBlue") == (70, 130, 180)
    assert colour("#3060a0") == (0x30, 0x60, 0xA0)
    for text in ("nonsense", "", "#12345", "#11223344", "3060a0"):
        with pytest.raises(SettingsError, match="no colour"):
            colour(text)


@pytest.mark.skipif(not STICKER.is_file(), reason="needs the sticker in ../shared")
def test_a_sticker_is_read_with_its_opacity() -> None:
    layers = read_layers(STICKER)
    assert layers.shape == (512, 512, 4)
    assert (layers[..., 3] == 0).mean() == pytest.approx(0.26, abs=0.001)
