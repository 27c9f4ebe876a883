"""HEIC, as phones take photographs, and AVIF."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import PictureError
from followyouremoji.media.pictures import read_layers, read_picture
from tests.media.heif import write_tiled_heic
from tests.media.test_pictures import one_line


def colours(width: int = 150, height: int = 100) -> np.ndarray:
    """Smooth, and unlike itself when it is turned or mirrored."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.rint(255 * np.stack([x, y, 0.2 + 0.3 * x * y], axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("quarter_turns", range(4))
def test_tiled_and_turned_photographs(tmp_path: Path, quarter_turns: int) -> None:
    """Six tiles, of which some reach over the edge; turned by a property, as phones do."""
    pytest.importorskip("pillow_heif")
    write_tiled_heic(tmp_path / "photo.HEIC", colours(), quarter_turns)
    read = read_picture(tmp_path / "photo.HEIC")
    expected = np.rot90(colours(), quarter_turns)
    assert read.shape == expected.shape
    assert np.abs(read.astype(int) - expected).max() <= 6


def test_turned_by_exif_too_it_is_turned_once(tmp_path: Path) -> None:
    """iPhones write the turn twice, in the container and in EXIF."""
    heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(np.rot90(colours()))
    heif.register_heif_opener()
    Image.fromarray(stored).save(tmp_path / "photo.heic", quality=95, exif=exif.tobytes())
    assert np.abs(read_picture(tmp_path / "photo.heic").astype(int) - colours()).mean() < 3


def test_a_cut_off_photograph_is_told(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    write_tiled_heic(tmp_path / "photo.heic", colours())
    data = (tmp_path / "photo.heic").read_bytes()
    for kept in (len(data) // 2, 200, 40):
        (tmp_path / "cut.heic").write_bytes(data[:kept])
        with pytest.raises(PictureError) as error:
            read_picture(tmp_path / "cut.heic")
        one_line(error, tmp_path / "cut.heic")


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    write_tiled_heic(tmp_path / "photo.heic", colours())
    with pytest.raises(PictureError, match=r"photo\.heic is a HEIC picture.*'followyouremoji\[heif\]'"):
        read_picture(tmp_path / "photo.heic")


def test_avif_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    Image.fromarray(colours()).save(tmp_path / "photo.avif", quality=95)
    assert np.abs(read_picture(tmp_path / "photo.avif").astype(int) - colours()).mean() < 3
    layers = np.dstack([colours(), np.full((100, 150), 255, np.uint8)])
    layers[:, :40, 3] = 0
    Image.fromarray(layers).save(tmp_path / "layers.avif", quality=95)
    read = read_layers(tmp_path / "layers.avif")
    assert read.shape == (100, 150, 4)
    assert (read[:, :36, 3] < 8).all()
    assert (read[:, 44:, 3] > 247).all()
