"""Pictures of every mode become the same plain RGB; bad ones end in one line."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageCms

from followyouremoji.errors import PictureError
from followyouremoji.media.pictures import (
    LEAST_SIDE,
    contact_sheet,
    read_picture,
    resize_picture,
    side_by_side,
    write_picture,
)


def quarters(width: int = 48, height: int = 32) -> np.ndarray:
    """Four colours, one a quarter: red, green, blue, yellow."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (200, 30, 30)
    picture[: height // 2, width // 2 :] = (30, 200, 30)
    picture[height // 2 :, : width // 2] = (30, 30, 200)
    picture[height // 2 :, width // 2 :] = (200, 200, 30)
    return picture


def one_line(error: pytest.ExceptionInfo[PictureError], path: Path) -> str:
    message = str(error.value)
    assert path.name in message
    assert "\n" not in message
    return message


def test_a_picture_survives_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    write_picture(path, quarters())
    picture = read_picture(path)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    np.testing.assert_array_equal(picture, quarters())


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".webp", ".PNG"])
def test_lossy_kinds_stay_close(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"picture{ending}"
    write_picture(path, quarters())
    assert np.abs(read_picture(path).astype(int) - quarters()).mean() < 4.0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_followed(tmp_path: Path, orientation: int) -> None:
    # The stored picture of each of the eight orientations (EXIF 2.32, tag 0x0112) that shows `quarters` upright.
    stored = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p),
        7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda p: np.rot90(p, -1),
    }[orientation](quarters())
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    np.testing.assert_array_equal(read_picture(path), quarters())


def test_transparent_parts_show_white(tmp_path: Path) -> None:
    layers = np.dstack([quarters(), np.full((32, 48), 255, np.uint8)])
    layers[:8, :, 3] = 0
    layers[8:16, :24, 3] = 128
    Image.fromarray(layers).save(tmp_path / "layers.png")
    picture = read_picture(tmp_path / "layers.png")
    assert (picture[:8] == 255).all()
    np.testing.assert_allclose(
        picture[12, 4], [227, 142, 142], atol=1
    )  # half of (200, 30, 30), half of white
    np.testing.assert_array_equal(picture[16:], quarters()[16:])


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    indexed = Image.fromarray(quarters()).quantize(4)
    red = indexed.getpixel((0, 0))
    indexed.save(tmp_path / "palette.png", transparency=red)
    picture = read_picture(tmp_path / "palette.png")
    assert (picture[:16, :24] == 255).all()
    np.testing.assert_array_equal(picture[16:], quarters()[16:])


def test_greyscale_of_8_and_16_bits_and_floats_agree(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))
    Image.fromarray(ramp).save(tmp_path / "8.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "16.png")
    Image.fromarray(ramp.astype(np.float32) / 255).save(tmp_path / "float.tif")
    for name in ("8.png", "16.png", "float.tif"):
        np.testing.assert_array_equal(read_picture(tmp_path / name), np.repeat(ramp[..., None], 3, axis=2))


def test_colour_of_16_bits(tmp_path: Path) -> None:
    # Pillow writes no such file, so its chunks are laid out here (PNG specification, section 5).
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    wide = quarters().astype(">u2") * 257
    rows = b"".join(b"\x00" + row.tobytes() for row in wide)
    (tmp_path / "deep.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 32, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png"), quarters())


@pytest.mark.parametrize("mode", ["CMYK", "1", "LA", "YCbCr"])
def test_other_modes_are_read(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(quarters()).convert(mode)
    # Compressed: Pillow before 13 cannot read the uncompressed YCbCr that it writes.
    image.save(tmp_path / "mode.tif", compression="tiff_lzw")
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_allclose(read_picture(tmp_path / "mode.tif"), expected, atol=1)


def test_a_colour_profile_is_applied(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    assert profile.tobytes()  # a profile that does not fit RGB must not cost the picture
    Image.fromarray(quarters()).save(tmp_path / "odd.png", icc_profile=profile.tobytes())
    np.testing.assert_array_equal(read_picture(tmp_path / "odd.png"), quarters())
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(quarters()).save(tmp_path / "own.png", icc_profile=own)
    np.testing.assert_allclose(read_picture(tmp_path / "own.png"), quarters(), atol=1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_colour_profile_is_applied_whatever_the_mode(tmp_path: Path, mode: str) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The table of tags says where the red and the blue primary are: named for each other, they are swapped.
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    image, expected = Image.fromarray(quarters()), quarters()[..., ::-1].copy()
    if mode == "RGBA":
        alpha = np.full((32, 48), 255, np.uint8)
        alpha[24:], expected[24:] = 0, 255
        image.putalpha(Image.fromarray(alpha))
    elif mode == "P":
        image = image.quantize(4)
    image.save(tmp_path / "foreign.png", icc_profile=swapped)
    np.testing.assert_allclose(read_picture(tmp_path / "foreign.png"), expected, atol=2)


def test_transparent_grey_with_a_profile_stays_grey(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # does not fit grey
    Image.fromarray(np.dstack([ramp, np.full_like(ramp, 255)])).save(
        tmp_path / "grey.png", icc_profile=profile
    )
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.png"), np.repeat(ramp[..., None], 3, axis=2))


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    first, second = Image.fromarray(quarters()), Image.fromarray(255 - quarters())
    first.save(tmp_path / "two.webp", save_all=True, append_images=[second], lossless=True)
    np.testing.assert_array_equal(read_picture(tmp_path / "two.webp"), quarters())


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.png", b"This is not a picture at all.\n" * 20, "not a picture"),
        ("empty.png", b"", "empty"),
        ("missing.png", None, "no file"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PictureError) as error:
        read_picture(path)
    assert words in one_line(error, path)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(PictureError) as error:
        read_picture(tmp_path)
    assert "folder" in one_line(error, tmp_path)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "gif"])
def test_a_picture_cut_off(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"cut.{kind}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PictureError) as error:
        read_picture(path)
    one_line(error, path)


def test_jpeg_2000_without_its_header(tmp_path: Path) -> None:
    path = tmp_path / "headless.jp2"
    Image.fromarray(quarters()).save(path)
    path.write_bytes(path.read_bytes().replace(b"jp2h", b"free"))
    with pytest.raises(PictureError) as error:
        read_picture(path)
    assert "damaged" in one_line(error, path)


def test_one_pixel_is_too_small(tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    Image.new("RGB", (1, 1)).save(path)
    with pytest.raises(PictureError) as error:
        read_picture(path)
    assert str(LEAST_SIDE) in one_line(error, path)


@pytest.mark.parametrize("side", [10_001, 20_000])  # just over the bound, and where Pillow itself refuses
def test_huge_pictures_are_refused_from_the_header(tmp_path: Path, side: int) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (side, side)).save(path)
    with pytest.raises(PictureError) as error:
        read_picture(path)
    assert "100 megapixels" in one_line(error, path)


def test_an_existing_picture_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    path.write_bytes(b"mine")
    with pytest.raises(PictureError) as error:
        write_picture(path, quarters())
    assert "exists already" in one_line(error, path)
    assert path.read_bytes() == b"mine"
    write_picture(path, quarters(), overwrite=True)
    np.testing.assert_array_equal(read_picture(path), quarters())
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.png"]


def test_unknown_endings_are_told_with_the_known(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"\.png, \.jpg, \.jpeg, \.webp"):
        write_picture(tmp_path / "picture.xyz", quarters())


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for place in (tmp_path / "file" / "a.png", tmp_path / "nowhere" / "a.png"):
        with pytest.raises(PictureError) as error:
            write_picture(place, quarters())
        one_line(error, place)
    with pytest.raises(PictureError, match="name too long"):
        write_picture(tmp_path / ("a" * 300 + ".png"), quarters())
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["made.png", "made.jpg", "made.webp"])
def test_files_say_that_they_are_generated(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / name, quarters())
    with Image.open(tmp_path / name) as image:
        description = ElementTree.fromstring(image.info["xmp"]).find(".//{*}Description")
        assert description is not None
        assert description.findtext("{*}DigitalSourceType", "").endswith("trainedAlgorithmicMedia")
        assert "Generated by Follow Your Emoji" in "".join(description.find("{*}description").itertext())
        if name.endswith("png"):
            assert "Generated by Follow Your Emoji" in image.text["Comment"]


def test_side_by_side_has_one_height() -> None:
    row = side_by_side([quarters(48, 32), quarters(20, 64), quarters(64, 64)])
    assert row.shape == (64, 96 + 20 + 64, 3)
    np.testing.assert_array_equal(row[:, 96:116], quarters(20, 64))
    assert side_by_side([quarters(48, 32)], height=16).shape == (16, 24, 3)


def test_contact_sheet_places_pictures_in_rows() -> None:
    sheet = contact_sheet([quarters()] * 5, columns=3)
    assert sheet.shape == (2 * 32 + 4, 3 * 48 + 8, 3)
    np.testing.assert_array_equal(sheet[36:, 52:100], quarters())
    assert (sheet[36:, 104:] == 255).all()
    assert contact_sheet([quarters()], columns=8).shape == (32, 48, 3)
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], columns=2)


def test_resizing_keeps_a_flat_colour() -> None:
    flat = np.full((40, 30, 3), (12, 200, 99), np.uint8)
    np.testing.assert_array_equal(
        resize_picture(flat, (77, 21)), np.full((21, 77, 3), (12, 200, 99), np.uint8)
    )


def test_pictures_and_crops_do_not_need_pyav() -> None:
    program = (
        "import sys; sys.modules['av'] = None\n"
        "import followyouremoji.media.pictures, followyouremoji.media.cropping, followyouremoji.media.clips\n"
        "import followyouremoji.media.writing\n"
        "assert 'cv2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
