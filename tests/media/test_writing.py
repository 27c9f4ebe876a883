"""Clips are written whole, marked as generated, with their sound in time; or not at all."""

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import ClipError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.kinds import KINDS
from followyouremoji.media.pictures import read_picture
from followyouremoji.media.ranges import ClipRange
from followyouremoji.media.writing import ClipWriter, exact_rate
from tests.media.synthetic import (
    heard_onsets,
    moving_picture,
    square_place,
    write_clip,
    write_moving,
    write_pictures,
)

DRIVING = Path(__file__).parents[2].parent / "shared" / "media" / "driving"
needs_driving = pytest.mark.skipif(not DRIVING.is_dir(), reason="needs the real driving clips in ../shared")
OUTPUTS = ("made.mp4", "made.webm", "made.gif", "made.webp", "made.apng", "made")


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def read_back(path: Path) -> list[np.ndarray]:
    if path.is_dir():
        return [read_picture(frame) for frame in sorted(path.iterdir())]
    return [picture for _, picture in ClipReader(path)]


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_kind_of_output_shows_the_frames(tmp_path: Path, name: str) -> None:
    write_moving(tmp_path / name)
    pictures = read_back(tmp_path / name)
    assert [round(square_place(picture)) for picture in pictures] == list(range(20))
    for index, picture in enumerate(pictures):
        assert np.abs(picture.astype(int) - moving_picture(index)).mean() < 4.0
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", ["made.mp4", "made.webm"])
def test_a_video_that_is_encoded_in_less_time_shows_the_frames_as_well(tmp_path: Path, name: str) -> None:
    with ClipWriter(tmp_path / name, 25.0, (96, 64), quick=True) as writer:
        for index in range(20):
            writer.write(moving_picture(index))
    pictures = read_back(tmp_path / name)
    assert [round(square_place(picture)) for picture in pictures] == list(range(20))
    for index, picture in enumerate(pictures):
        assert np.abs(picture.astype(int) - moving_picture(index)).mean() < 4.0


@pytest.mark.parametrize("name", OUTPUTS[:-1])
def test_the_rate_is_kept(tmp_path: Path, name: str) -> None:
    write_moving(tmp_path / name, rate=30.0)
    info = ClipReader(tmp_path / name).info
    assert info.duration == pytest.approx(20 / 30, abs=0.011)  # GIF and WebP round to 10 ms and 1 ms
    assert len(read_back(tmp_path / name)) == 20


def test_rates_are_the_fractions_that_they_stand_for() -> None:
    assert exact_rate(25.0) == 25
    assert exact_rate(29.97) == exact_rate(30000 / 1001) == Fraction(30000, 1001)
    assert exact_rate(23.976) == Fraction(24000, 1001)
    assert exact_rate(12.5) == Fraction(25, 2)
    assert float(exact_rate(17.3)) == pytest.approx(17.3)


def test_mp4_plays_everywhere(tmp_path: Path) -> None:
    write_moving(tmp_path / "made.mp4")
    with av.open(str(tmp_path / "made.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
    data = (tmp_path / "made.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays before it is loaded


def test_the_same_frames_are_the_same_mp4_every_time_and_on_any_number_of_cores(tmp_path: Path) -> None:
    """Of this size, which x264's AVX-512 code makes differently every second time."""
    cores = os.sched_getaffinity(0)
    try:
        for number in range(8):
            os.sched_setaffinity(0, cores if number % 2 else {min(cores)})
            write_moving(tmp_path / f"{number}.mp4")
    finally:
        os.sched_setaffinity(0, cores)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_mp4_keeps_colours(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, :32], picture[:32, 32:] = (220, 30, 40), (30, 200, 60)
    picture[32:, :32], picture[32:, 32:] = (40, 60, 210), (128, 128, 128)
    with ClipWriter(tmp_path / "colours.mp4", 25, (64, 64)) as writer:
        writer.write(picture)
    (shown,) = read_back(tmp_path / "colours.mp4")
    for row, column in ((16, 16), (16, 48), (48, 16), (48, 48)):
        np.testing.assert_allclose(shown[row, column].astype(int), picture[row, column], atol=4)


@pytest.mark.parametrize("name", OUTPUTS)
def test_odd_sizes(tmp_path: Path, name: str) -> None:
    with ClipWriter(tmp_path / name, 25, (97, 65)) as writer:
        for index in range(3):
            writer.write(moving_picture(index, (97, 65)))
    picture, shown = moving_picture(2, (97, 65)), read_back(tmp_path / name)[2]
    assert shown.shape == ((66, 98, 3) if name.endswith("mp4") else (65, 97, 3))
    assert np.abs(shown[:65, :97].astype(int) - picture).mean() < 4.0
    if name.endswith("mp4"):
        assert np.abs(shown[:, 97].astype(int) - shown[:, 96]).mean() < 8.0


@pytest.mark.parametrize("name", OUTPUTS[:-1])
def test_pictures_larger_than_a_clip_can_hold_are_refused_before_one_is_made(
    tmp_path: Path, name: str
) -> None:
    """The bounds are the encoders': what is at them is written, what is beyond them could not be."""
    largest = KINDS[Path(name).suffix].largest_side
    with ClipWriter(tmp_path / name, 25, (16, largest)) as writer:
        writer.write(np.zeros((largest, 16, 3), np.uint8))
    assert names(tmp_path) == [name]
    too_large = (largest + 1, 32)
    with pytest.raises(
        ClipError, match=f"{largest + 1}x32 pixels.* at most {largest} a side.* folder of PNGs"
    ):
        ClipWriter(tmp_path / f"large {name}", 25, too_large)
    with ClipWriter(tmp_path / "folder", 25, too_large) as writer:
        writer.write(np.zeros((32, largest + 1, 3), np.uint8))


@pytest.mark.parametrize("name", OUTPUTS)
def test_files_say_that_they_are_generated(tmp_path: Path, name: str) -> None:
    write_moving(tmp_path / name, frames=2)
    path = tmp_path / name
    words = "Generated by Follow Your Emoji"
    if name.endswith(("mp4", "webm")):
        with av.open(str(path)) as container:
            said = {key.lower(): value for key, value in container.metadata.items()}
            assert words in said["comment"]
        return
    with Image.open(path / "frame_000000.png" if path.is_dir() else path) as image:
        if name.endswith("gif"):
            assert words in image.info["comment"].decode()
        elif name.endswith("webp"):
            assert words.encode() in image.info["xmp"]
            assert image.n_frames == 2
        else:
            assert words in image.text["Comment"]
            assert "trainedAlgorithmicMedia" in image.text["XML:com.adobe.xmp"]


def test_frames_all_alike_make_a_whole_webp(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "still.webp", 25, (97, 65)) as writer:
        for _ in range(3):
            writer.write(moving_picture(0, (97, 65)))
    with Image.open(tmp_path / "still.webp") as image:
        assert image.size == (97, 65)
        assert b"trainedAlgorithmicMedia" in image.info["xmp"]
    assert (
        np.abs(read_back(tmp_path / "still.webp")[0].astype(int) - moving_picture(0, (97, 65))).mean() < 4.0
    )


def test_a_gif_plays_for_ever_and_keeps_still_parts_still(tmp_path: Path) -> None:
    write_moving(tmp_path / "made.gif")
    with Image.open(tmp_path / "made.gif") as image:
        assert image.info["loop"] == 0
    pictures = np.stack(read_back(tmp_path / "made.gif")).astype(int)
    assert np.ptp(pictures[:, 50:], axis=0).max() == 0


def test_a_gif_waits_beside_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's folder for temporary files may be main memory, and nobody looks there for what a kill left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with ClipWriter(tmp_path / "made.gif", 25, (96, 64)) as writer:
        writer.write(moving_picture(0))
        (workspace,) = tmp_path.iterdir()
    assert workspace.match(".made.*.part.gif")
    assert names(tmp_path) == ["made.gif"]


def test_a_fast_gif_keeps_its_duration(tmp_path: Path) -> None:
    write_moving(tmp_path / "fast.gif", frames=30, rate=100.0)
    info = ClipReader(tmp_path / "fast.gif").info
    assert info.frames == 15
    assert info.duration == pytest.approx(0.3, abs=0.021)


@needs_driving
def test_real_clips_survive_a_rewrite(tmp_path: Path) -> None:
    # d0 has no sound; d12 has AAC.
    for name, has_sound in (("d0.mp4", False), ("d12.mp4", True)):
        with (
            ClipReader(DRIVING / name, ClipRange(0, 25)) as reader,
            ClipWriter(
                tmp_path / name, reader.info.frame_rate, reader.info.size, sound_from=DRIVING / name
            ) as writer,
        ):
            for _, picture in reader:
                writer.write(picture)
        made = ClipReader(tmp_path / name)
        assert made.info.frames == 25
        assert made.info.has_sound == has_sound == ClipReader(DRIVING / name).info.has_sound
        for (_, kept), (_, driving) in zip(made, ClipReader(DRIVING / name), strict=False):
            assert np.abs(kept.astype(int) - driving).mean() < 2.5


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("reason", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_nothing_half_written_stays(tmp_path: Path, name: str, reason: type[BaseException]) -> None:
    def interrupted() -> Iterator[np.ndarray]:
        yield moving_picture(0)
        raise reason

    with pytest.raises(reason):
        write_pictures(tmp_path / name, interrupted())
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", OUTPUTS)
def test_nothing_is_written_of_no_frames(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClipError, match="not one frame"):
        write_moving(tmp_path / name, frames=0)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_existing_output_is_kept_unless_asked(tmp_path: Path, name: str) -> None:
    write_moving(tmp_path / name, frames=3)
    with pytest.raises(ClipError, match="exists already"):
        ClipWriter(tmp_path / name, 25, (96, 64))
    with pytest.raises(KeyboardInterrupt), ClipWriter(tmp_path / name, 25, (96, 64), overwrite=True):
        raise KeyboardInterrupt
    assert len(read_back(tmp_path / name)) == 3
    write_moving(tmp_path / name, frames=5, overwrite=True)
    assert len(read_back(tmp_path / name)) == 5
    assert names(tmp_path) == [name]


def test_webm_is_vp9_with_opus(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=50, audio_codec="aac")
    for name in ("one.webm", "two.webm"):
        write_moving(tmp_path / name, frames=50, sound_from=tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "one.webm")) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt, codec.colorspace) == ("vp9", "yuv420p", 1)
        assert container.streams.audio[0].codec_context.name == "opus"
    np.testing.assert_allclose(heard_onsets(tmp_path / "one.webm"), [0.5, 1.0, 1.5], atol=0.01)
    assert (tmp_path / "one.webm").read_bytes() == (tmp_path / "two.webm").read_bytes()


def test_a_clip_may_replace_the_one_its_sound_comes_from(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames=50, audio_codec="aac")
    write_moving(tmp_path / "clip.mp4", frames=50, sound_from=tmp_path / "clip.mp4", overwrite=True)
    np.testing.assert_allclose(heard_onsets(tmp_path / "clip.mp4"), [0.5, 1.0, 1.5], atol=0.004)


def test_a_folder_with_other_things_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    write_moving(folder, frames=2)  # an empty folder may be filled
    assert len(read_back(folder)) == 2
    (folder / "diary.txt").write_text("mine")
    with pytest.raises(ClipError, match="not replaced"):
        write_moving(folder, overwrite=True)
    assert (folder / "diary.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ClipError, match="a file of this name exists"):
        write_moving(tmp_path / "file", overwrite=True)
    (tmp_path / "made.mp4").mkdir()
    (tmp_path / "made.mp4" / "diary.txt").write_text("mine")
    with pytest.raises(ClipError, match="not replaced"):
        write_moving(tmp_path / "made.mp4", overwrite=True)


@pytest.mark.parametrize("place", [".", "..", "inner/..", "/"])
def test_a_place_without_a_name_of_its_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ClipError, match="give a new name in it"):
        ClipWriter(place, 25, (96, 64))
    assert names(tmp_path / "empty") == ["inner"]


@pytest.mark.parametrize("name", ["made.xyz", "made.png", "made.mov"])
def test_unknown_endings_are_told_with_the_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClipError, match=r"\.mp4, \.webm, \.gif, \.webp, \.apng.*folder of PNGs"):
        ClipWriter(tmp_path / name, 25, (96, 64))


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize(
    "place", ["12:30", "file:x", "-o", "100%d", "%05d", "a b", "größe 顔", "http:", "a#b?c", "'quoted'"]
)
def test_names_are_names_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    """Neither protocols nor numbered pictures, of which FFmpeg thinks at the sight of a colon or a percent sign."""
    monkeypatch.chdir(tmp_path)
    Path(place).mkdir()
    path = Path(place) / f"{place} {name}"
    write_moving(path, frames=2)
    assert names(tmp_path / place) == [path.name]
    write_moving(Path(path.name), frames=2)
    assert sorted(names(tmp_path)) == sorted([place, path.name])
    for made in (path, Path(path.name)):
        assert len(read_back(made)) == 2


@pytest.mark.parametrize("ending", [".mp4", ".webm", ".gif", ".webp", ".apng", ""])
def test_where_nothing_can_be_written(tmp_path: Path, ending: str) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(ClipError, match="no folder"):
            ClipWriter(folder / f"made{ending}", 25, (96, 64))
    if Path("/proc/self").is_dir():  # a folder that nobody may write to, not even root
        with pytest.raises(ClipError, match=r"cannot write /proc/made") as error:
            write_moving(Path(f"/proc/made{ending}"))
        assert "\n" not in str(error.value)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let writing fail in the operating system as on a full disc: Python ignores the signal, `write` returns an
    error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_full_disc_is_told_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 64, 96, 3), dtype=np.uint8)
    with pytest.raises(ClipError) as error, files_no_larger_than(12_000):
        write_pictures(tmp_path / name, noise)
    assert str(tmp_path / name) in str(error.value)
    assert "room" in str(error.value)
    assert names(tmp_path) == []


def test_an_array_may_be_used_again_for_the_next_frame(tmp_path: Path) -> None:
    picture = np.empty((64, 96, 3), np.uint8)
    with ClipWriter(tmp_path / "made", 25, (96, 64)) as writer:
        for index in range(12):
            picture[:] = moving_picture(index)
            writer.write(picture)
    for index, shown in enumerate(read_back(tmp_path / "made")):
        np.testing.assert_array_equal(shown, moving_picture(index))


def test_misuse_is_told(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "made.mp4", 25, (96, 64)) as writer:
        writer.write(moving_picture(0))
        with pytest.raises(ValueError, match="shape"):
            writer.write(moving_picture(0, (64, 64)))
    with pytest.raises(ClipError, match="frames a second"):
        ClipWriter(tmp_path / "other.mp4", 0.0, (96, 64))
    with pytest.raises(ValueError, match="context manager"):
        ClipWriter(tmp_path / "other.mp4", 25, (96, 64)).write(moving_picture(0))
