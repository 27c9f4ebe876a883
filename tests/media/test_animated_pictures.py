"""Animated pictures as clips: GIF, PNG, AVIF and HEIC."""

from pathlib import Path

import pytest
from PIL import Image

from followyouremoji.media import decoding
from followyouremoji.media.clips import ClipReader
from tests.media.recordings import flashing_picture, record
from tests.media.synthetic import moving_picture, square_place


def test_the_last_frame_of_a_gif_is_held(tmp_path: Path) -> None:
    pictures = [Image.fromarray(moving_picture(index)) for index in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=[100, 100, 2000])
    with ClipReader(tmp_path / "a.gif", frame_rate=10.0) as clip:
        assert clip.info.frame_rate == 10.0
        assert clip.info.duration == pytest.approx(2.2)
        shown = [round(square_place(picture)) for _, picture in clip]
    assert shown == [0, 1, *[2] * 20]


def test_the_still_picture_of_an_animated_png_is_none_of_its_frames(tmp_path: Path) -> None:
    pictures = [Image.fromarray(moving_picture(index)) for index in range(4)]
    pictures[0].save(
        tmp_path / "a.png", save_all=True, default_image=True, append_images=pictures[1:], duration=200
    )
    with ClipReader(tmp_path / "a.png") as clip:
        assert clip.info.frame_rate == 5.0
        assert [round(square_place(picture)) for _, picture in clip] == [1, 2, 3]


def test_animated_avif(tmp_path: Path) -> None:
    pictures = [Image.fromarray(moving_picture(index)) for index in range(6)]
    pictures[0].save(tmp_path / "a.avif", save_all=True, append_images=pictures[1:], duration=100)
    with ClipReader(tmp_path / "a.avif") as clip:
        assert clip.info.frames == 6
        assert clip.info.frame_rate == 10.0
        assert [round(square_place(picture)) for _, picture in clip] == list(range(6))


def test_heic_pictures_are_whole_and_sequences_move(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    Image.fromarray(flashing_picture(1.0, (640, 480))).save(tmp_path / "a.heic")
    with ClipReader(tmp_path / "a.heic") as clip:
        assert clip.info.frames == 1
        assert clip.info.size == (640, 480)
        assert isinstance(clip._source, decoding.AnimationSource)  # FFmpeg would show tile after tile
    record(tmp_path / "a.mp4", "libx265", None, seconds=1.0)
    content = bytearray((tmp_path / "a.mp4").read_bytes())
    content[8:12], content[16:24] = b"msf1", b"hevcmsf1"
    content[content.index(b"vide") :][:4] = b"pict"
    (tmp_path / "a.heics").write_bytes(content)
    with ClipReader(tmp_path / "a.heics") as clip:
        assert len(list(clip)) == 30
