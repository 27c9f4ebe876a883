"""Stickers as they are written: within every limit, transparent, near to their frames, and as good as fits."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.fidelity import psnr
from followyouremoji.media.pictures import on_background
from followyouremoji.stickers.checking import read_facts, read_frames, violations
from followyouremoji.stickers.clip import Clip, Picture
from followyouremoji.stickers.encoding import LEVELS, StickerError, write_sticker
from followyouremoji.stickers.services import SERVICES, StickerFormat
from tests.stickers.clips import faces, noise

SMALL = (64, 64)
FRAMES, RATE = 6, 6.0


def small(name: str, **changes) -> StickerFormat:
    """A service's format of 64x64 pixels, so that tests are quick."""
    return replace(SERVICES[name], size=SMALL, least_side=1, smaller=(), **changes)


def likeness(made: list[np.ndarray], frames: list[np.ndarray]) -> float:
    """The least PSNR of a frame, on black and on white."""
    return min(
        psnr(on_background(one, ground), on_background(frame, ground))
        for one, frame in zip(made, frames, strict=True)
        for ground in ((0, 0, 0), (255, 255, 255))
    )


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_gets_what_it_takes(tmp_path: Path, name: str) -> None:
    """GIF's pixels are opaque or not there, which costs 8 dB at a soft edge that is a tenth of the picture."""
    format = SERVICES[name]
    frames = faces(FRAMES, format.size)
    written = write_sticker(frames, RATE, format, tmp_path / f"face{format.ending}")
    assert [path.name for path in tmp_path.iterdir()] == [f"face{format.ending}"]
    facts = read_facts(written.path)
    assert facts == written.facts
    assert violations(facts, format) == []
    assert facts.transparent
    assert (facts.frames, facts.seconds) == (FRAMES, pytest.approx(1.0))
    assert likeness(read_frames(written.path), frames) > (26 if format.container == "gif" else 34)
    assert written.tried[-1].frames == FRAMES


@pytest.mark.parametrize("name", ["telegram", "whatsapp", "signal", "slack"])
def test_opaque_frames_become_opaque_stickers(tmp_path: Path, name: str) -> None:
    frames = faces(4, SMALL)
    for frame in frames:
        frame[..., :3] = on_background(frame, (90, 120, 200))
        frame[..., 3] = 255
    format = small(name)
    written = write_sticker(frames, RATE, format, tmp_path / f"face{format.ending}")
    assert not written.facts.transparent
    assert (
        likeness(read_frames(written.path), frames) > 27
    )  # small eyes lose colour to chroma of half resolution


@pytest.mark.parametrize("name", ["telegram", "whatsapp", "signal", "discord-emoji"])
def test_what_fits_is_the_best_that_does(tmp_path: Path, name: str) -> None:
    """The search takes bytes to fall from level to level: where they do not, the best one's neighbour may be found."""
    frames = faces(FRAMES, SMALL)
    free = small(name, max_bytes=None, aim_bytes=None)
    most = write_sticker(frames, RATE, free, tmp_path / f"free{free.ending}").facts.bytes
    format = small(name, max_bytes=most * 7 // 10)
    written = write_sticker(frames, RATE, format, tmp_path / f"face{format.ending}")
    assert written.facts.bytes <= format.max_bytes
    assert len(written.tried) <= 8
    levels = LEVELS[format.container](Clip([Picture(frame) for frame in frames], Fraction(1), 0))
    found = [level.words for level in levels].index(written.quality)
    assert found > 0
    levels[max(0, found - 2)].write(tmp_path / f"better{format.ending}")
    assert (tmp_path / f"better{format.ending}").stat().st_size > format.max_bytes


def test_frames_are_left_out_evenly_where_quality_does_not_help(tmp_path: Path) -> None:
    frames = noise(40, SMALL)
    least = write_sticker(frames[:32], 20.0, small("whatsapp"), tmp_path / "all.webp").facts.bytes
    format = small("whatsapp", max_bytes=least // 3)
    written = write_sticker(frames, 20.0, format, tmp_path / "some.webp")
    assert written.facts.frames < 40
    assert written.facts.rate >= 8 - 0.01
    assert written.facts.seconds == pytest.approx(2.0)
    assert max(written.facts.times) - min(written.facts.times) <= 0.0011


def test_sides_shrink_last(tmp_path: Path) -> None:
    format = replace(SERVICES["signal"], size=SMALL, smaller=(48, 32), max_bytes=12_000)
    written = write_sticker(noise(10, SMALL), RATE, format, tmp_path / "a.png")
    assert written.facts.size in ((48, 48), (32, 32))
    assert {attempt.size for attempt in written.tried} > {SMALL}


def test_what_cannot_fit_is_refused_with_what_was_tried(tmp_path: Path) -> None:
    with pytest.raises(
        StickerError, match=r"does not fit into a Slack emoji: \d+ files were tried.*shorter motion"
    ):
        write_sticker(
            noise(10, SMALL), RATE, small("slack", max_bytes=2000, aim_bytes=None), tmp_path / "a.gif"
        )
    assert list(tmp_path.iterdir()) == []


def test_rates_and_numbers_of_frames_are_kept_to(tmp_path: Path) -> None:
    fast = write_sticker(faces(60, SMALL), 60.0, small("telegram"), tmp_path / "a.webm")
    assert (fast.facts.frames, fast.facts.seconds) == (30, pytest.approx(1.0))
    many = write_sticker(faces(60, SMALL), 30.0, small("slack"), tmp_path / "a.gif")
    assert (many.facts.frames, many.facts.seconds) == (50, pytest.approx(2.0))


def test_line_stickers_last_whole_seconds(tmp_path: Path) -> None:
    format = replace(SERVICES["line"], size=SMALL, least_side=1)
    written = write_sticker(faces(30, SMALL), 25.0, format, tmp_path / "a.png")
    assert (written.facts.seconds, written.facts.loops) == (pytest.approx(1.0), 3)
    assert written.facts.frames == 20
    longer = write_sticker(faces(50, SMALL), 25.0, format, tmp_path / "b.png")
    assert (longer.facts.seconds, longer.facts.loops) == (pytest.approx(2.0), 1)


def test_the_same_frames_make_the_same_file(tmp_path: Path) -> None:
    for name in ("telegram", "whatsapp", "signal", "slack"):
        format = small(name, max_bytes=20_000, aim_bytes=None)
        paths = [tmp_path / f"{name}{n}{format.ending}" for n in (1, 2)]
        for path in paths:
            write_sticker(faces(6, SMALL), RATE, format, path)
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("name", ["telegram", "whatsapp", "signal", "slack"])
def test_files_say_that_they_were_generated(tmp_path: Path, name: str) -> None:
    format = small(name)
    written = write_sticker(faces(3, SMALL), RATE, format, tmp_path / f"a{format.ending}")
    assert b"Generated by Follow Your Emoji" in written.path.read_bytes()


def test_uneven_sides(tmp_path: Path) -> None:
    """Chroma of half resolution has to be rounded up."""
    format = small("telegram")
    frames = faces(3, (63, 64))
    written = write_sticker(frames, RATE, format, tmp_path / "a.webm")
    assert written.facts.size == (63, 64)
    assert likeness(read_frames(written.path), frames) > 28


def test_rare_colours_are_kept(tmp_path: Path) -> None:
    """Four blue pixels among 4096 keep their blue in few colours."""
    frames = faces(2, SMALL)
    for frame in frames:
        frame[30:32, 20:22] = (20, 40, 250, 255)
    format = small("discord-emoji", max_bytes=2500)
    written = write_sticker(frames, RATE, format, tmp_path / "a.gif")
    made = read_frames(written.path)[0]
    assert made[30:32, 20:22, 2].mean() > 150
    assert made[30:32, 20:22, 0].mean() < 110


@pytest.mark.parametrize(
    ("frames", "rate", "name", "file", "words"),
    [
        ([], RATE, "telegram", "a.webm", "not one frame"),
        (faces(2, (60, 60)), RATE, "whatsapp", "a.webp", "60x60 pixels.*exactly 64x64"),
        (faces(2, SMALL), RATE, "whatsapp", "a.webm", r"must end in \.webp"),
        (faces(1, SMALL), RATE, "whatsapp", "a.webp", "at least 2 frames"),
        (faces(31, SMALL), 10.0, "telegram", "a.webm", r"3\.10 s.*at most 3"),
        (faces(2, SMALL), 0.0, "telegram", "a.webm", "frames a second"),
    ],
)
def test_what_cannot_become_a_sticker(
    tmp_path: Path, frames: list[np.ndarray], rate: float, name: str, file: str, words: str
) -> None:
    with pytest.raises(StickerError, match=words):
        write_sticker(frames, rate, small(name), tmp_path / file)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_text("mine")
    with pytest.raises(StickerError, match="exists already"):
        write_sticker(faces(2, SMALL), RATE, small("slack"), tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_text() == "mine"
    write_sticker(faces(2, SMALL), RATE, small("slack"), tmp_path / "a.gif", overwrite=True)


def test_progress_says_what_is_tried(tmp_path: Path) -> None:
    said = list[str]()
    write_sticker(faces(2, SMALL), RATE, small("slack"), tmp_path / "a.gif", progress=said.append)
    assert said
    assert "2 frames of 64x64" in said[0]
