"""Pictures and clips come from bytes and open files, and go to buffers, as they do from and to paths."""

from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.errors import ClipError, PictureError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.inputs import InputFile, remembered
from followyouremoji.media.kinds import CLIP_ENDINGS
from followyouremoji.media.pictures import PICTURE_ENDINGS, read_layers, write_picture
from followyouremoji.media.writing import ClipWriter
from tests.media.recordings import record
from tests.media.synthetic import moving_picture, write_clip, write_moving, write_pictures


def disc() -> np.ndarray:
    """A picture (64, 96, 4) with a transparent border."""
    return np.pad(
        np.dstack([moving_picture(0), np.full((64, 96), 255, np.uint8)])[8:-8, 8:-8],
        ((8, 8), (8, 8), (0, 0)),
    )


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "made.gif", "made.webp", "made.apng"])
def test_a_clip_is_the_same_from_a_path_bytes_and_an_open_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("clip"):
        write_clip(path, frames=10, audio_codec="aac")
    else:
        write_moving(path, frames=10)
    there = ClipReader(path)
    with path.open("rb") as opened:
        for source in (path.read_bytes(), bytearray(path.read_bytes()), BytesIO(path.read_bytes()), opened):
            with ClipReader(source) as clip:
                assert clip.info.size == there.info.size
                assert clip.info.has_sound == there.info.has_sound
                assert clip.damage is None
                for _ in range(2):
                    for (time, picture), (expected_time, expected) in zip(clip, there, strict=True):
                        assert time == expected_time
                        np.testing.assert_array_equal(picture, expected)


def test_a_clip_that_is_cut_off_is_so_in_memory_too(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=30, faststart=True)
    content = (tmp_path / "clip.mp4").read_bytes()
    with ClipReader(content[: len(content) * 2 // 3]) as clip:
        assert 0 < len(list(clip)) < 30
        assert clip.damage is not None


@pytest.mark.parametrize("name", [f"clip{ending}" for ending in CLIP_ENDINGS])
def test_a_buffer_takes_what_a_file_does(tmp_path: Path, name: str) -> None:
    record(tmp_path / "sound.mp4")
    buffer = BytesIO()
    for target, options in ((tmp_path / name, {}), (buffer, {"format": name.split(".")[1]})):
        for sound in (tmp_path / "sound.mp4", (tmp_path / "sound.mp4").read_bytes()):
            buffer.truncate(0), buffer.seek(0)
            with ClipWriter(target, 25.0, (96, 64), sound_from=sound, overwrite=True, **options) as writer:
                for _ in range(3):
                    writer.write(disc())
            assert writer.has_sound == name.endswith((".mp4", ".webm"))
    assert buffer.getvalue() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("ending", PICTURE_ENDINGS)
def test_pictures_go_to_a_buffer_and_come_from_it(tmp_path: Path, ending: str) -> None:
    buffer = BytesIO()
    write_picture(tmp_path / f"made{ending}", disc())
    write_picture(buffer, disc(), format=ending[1:].upper())
    assert buffer.getvalue() == (tmp_path / f"made{ending}").read_bytes()
    expected = read_layers(tmp_path / f"made{ending}")
    assert expected.shape[2] == (3 if ending.startswith(".j") else 4)
    buffer.seek(0)
    for source in (buffer.getvalue(), buffer):
        np.testing.assert_array_equal(read_layers(source), expected)


def test_nothing_gets_into_a_buffer_on_an_error() -> None:
    buffer = BytesIO()
    with pytest.raises(ZeroDivisionError):
        write_pictures(buffer, (moving_picture(1 // (1 - index)) for index in range(3)), format="gif")
    with pytest.raises(ClipError, match="the result was not written: there is not one frame"):
        write_pictures(buffer, [], format="webp")
    assert buffer.getvalue() == b""


def test_what_has_no_path_has_a_name() -> None:
    with pytest.raises(PictureError, match="the portrait is not a picture"):
        read_layers(b"no picture at all", "the portrait")
    with pytest.raises(PictureError, match=r"the picture is empty \(0 bytes\); give a picture file"):
        read_layers(BytesIO())
    with pytest.raises(ClipError, match="the clip cannot be read as a clip"):
        ClipReader(b"no clip at all" * 100)
    for source in (StringIO("text"), None, 3):
        with pytest.raises(ClipError, match="the clip must be a path, bytes or an open binary file, not"):
            ClipReader(source)  # type: ignore[arg-type]


def test_formats_are_those_that_can_be_written() -> None:
    with pytest.raises(ClipError, match="cannot write a clip as mov; give one of mp4, webm, gif, webp, apng"):
        ClipWriter(BytesIO(), 25.0, (96, 64), format="mov")
    with pytest.raises(PictureError, match="cannot write a picture as gif; give one of png"):
        write_picture(BytesIO(), disc(), format="gif")
    for target, kind in ((BytesIO(), None), ("made.mp4", "mp4")):
        with pytest.raises(ValueError, match="format of a buffer"):
            ClipWriter(target, 25.0, (96, 64), format=kind)


@pytest.mark.parametrize("playlist", ["ffconcat version 1.0\nfile '{}'\n", "#EXTM3U\n#EXTINF:1,\n{}\n"])
def test_a_playlist_in_bytes_reaches_no_file(tmp_path: Path, playlist: str) -> None:
    write_clip(tmp_path / "private.ts", frames=5)
    for place in (tmp_path / "private.ts", f"file:{tmp_path}/private.ts"):
        with pytest.raises(ClipError):
            ClipReader(playlist.format(place).encode())


def test_what_is_found_in_a_file_is_remembered_until_it_changes(tmp_path: Path) -> None:
    looked: list[str] = []

    @remembered
    def size(file: InputFile) -> int:
        looked.append(str(file))
        with file.open() as opened:
            return len(opened.read())

    def file(source: Path | bytes) -> InputFile:
        return InputFile.of(source, ClipError, "a clip", "bytes")

    (tmp_path / "a").write_bytes(b"1")
    assert [size(file(tmp_path / "a")), size(file(tmp_path / "a"))] == [1, 1]
    assert [size(file(b"123")), size(file(b"123")), size(file(b"12"))] == [3, 3, 2]
    (tmp_path / "a").write_bytes(b"12345")
    assert size(file(tmp_path / "a")) == 5
    assert looked == [str(tmp_path / "a"), "bytes", "bytes", str(tmp_path / "a")]
