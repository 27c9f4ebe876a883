"""What `fye animate` writes: its name, its size, what of a transparent portrait it keeps, the room that it needs."""

from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from followyouremoji.media.clips import ClipReader
from tests.apps.conftest import Run
from tests.apps.test_bad_input import assert_nothing_written, assert_refused

pytest.importorskip("skia", reason="drawn portraits need skia")
from followyouremoji.portraits import Performance, draw_portrait, random_identity

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def sticker(fye: Run) -> str:
    """A drawn person in a disc, transparent around it, 256x256."""
    drawn = draw_portrait(random_identity(np.random.default_rng(3), "person"), Performance(), 256).picture
    edge = 125 - np.hypot(*(np.indices((256, 256)) - 127.5))
    layers = np.dstack([drawn, np.clip(255 * (edge / 2 + 0.5), 0, 255).astype(np.uint8)])
    Image.fromarray(layers).save("sticker.png")
    return "sticker.png"


def quick(model: Path, stop: int = 2) -> tuple[object, ...]:
    return ("--weights", model, "--steps", 1, "--stop", stop)


@pytest.mark.parametrize("name", ["made.webp", "made.apng", "made.gif", "made"])
def test_a_sticker_stays_transparent(fye: Run, model: Path, sticker: str, name: str) -> None:
    done = fye("animate", sticker, "bundled:hello", "-o", name, *quick(model))
    assert done.code == 0, done.err
    path = Path(name) / "frame_000001.png" if name == "made" else Path(name)
    with Image.open(path) as image:
        made = np.asarray(image.convert("RGBA"))
    with Image.open(sticker) as image:
        before = np.asarray(image)[..., 3]
    assert made.shape == (256, 256, 4)
    assert (made[..., 3] > 127).mean() == pytest.approx((before > 127).mean(), abs=0.01)
    assert (made[[0, 0, -1, -1], [0, -1, 0, -1], 3] == 0).all()


def test_a_sticker_lies_on_white_in_an_mp4_or_on_the_colour_that_is_asked_for(
    fye: Run, model: Path, sticker: str
) -> None:
    for options, colour in (((), (255, 255, 255)), (("--background", "#3060a0"), (48, 96, 160))):
        done = fye(
            "animate", sticker, "bundled:hello", "-o", "made.mp4", "--overwrite", *options, *quick(model)
        )
        assert done.code == 0, done.err
        with ClipReader("made.mp4") as clip:
            for _, picture in clip:
                assert np.abs(picture[:3, :3].astype(int) - colour).max() <= 4
    done = fye(
        *("animate", sticker, "bundled:hello", "-o", "one.png", "--background", "SteelBlue", *quick(model, 1))
    )
    assert done.code == 0, done.err
    with Image.open("one.png") as image:
        assert image.mode == "RGB"
        assert image.getpixel((0, 0)) == (70, 130, 180)


@pytest.mark.parametrize("options", [(), ("--background", "navy")])
def test_beside_the_driving_a_sticker_lies_on_a_background(
    fye: Run, model: Path, sticker: str, options: tuple[str, ...]
) -> None:
    done = fye("animate", sticker, "bundled:hello", "-o", "row", "--side-by-side", *options, *quick(model, 1))
    assert done.code == 0, done.err
    with Image.open("row/frame_000000.png") as image:
        assert image.mode == "RGB"
        assert image.getpixel((image.width - 1, 0)) == ((0, 0, 128) if options else (255, 255, 255))


def test_no_colour_is_refused(fye: Run, sticker: str) -> None:
    assert_refused(
        fye("animate", sticker, "bundled:hello", "--background", "beautiful"), "'beautiful'", "#rrggbb"
    )
    assert_nothing_written()


def test_the_longer_side_is_bounded_where_that_is_asked_for_and_said(
    fye: Run, model: Path, sticker: str
) -> None:
    done = fye("animate", sticker, "bundled:hello", "-o", "small.webp", "--max-side", 128, *quick(model))
    assert done.code == 0, done.err
    assert (
        "sticker.png is scaled to 128x128 pixels, as the bound of the longer side asks (--max-side)."
        in done.err
    )
    with Image.open("small.webp") as image:
        assert image.size == (128, 128)
        assert image.convert("RGBA").getpixel((0, 0))[3] == 0
    # a square that is not put back, and a row, are bounded too
    for options, size in ((("--no-paste", "--size", 160), (128, 128)), (("--side-by-side",), (128, 32))):
        done = fye(
            *("animate", "bundled:max", "bundled:hello", "-o", "b", "--overwrite"),
            *("--max-side", 128, *options, *quick(model, 1)),
        )
        assert done.code == 0, done.err
        with Image.open("b/frame_000000.png") as image:
            assert image.size == size


def test_a_large_portrait_in_an_mp4_is_what_players_take(fye: Run, model: Path, sticker: str) -> None:
    large = Image.new("RGB", (5000, 2600), "white")
    with Image.open(sticker) as image:
        large.paste(image.convert("RGB").resize((1800, 1800)), (1600, 500))
    large.save("large.jpg")
    done = fye("animate", "large.jpg", "bundled:hello", "-o", "large.mp4", *quick(model, 1))
    assert done.code == 0, done.err
    assert "large.jpg is scaled to 4096x2130 pixels, the most that common players take of an MP4" in done.err
    with ClipReader("large.mp4") as clip:
        assert clip.info.size == (4096, 2130)
    data = Path("large.mp4").read_bytes()
    assert data[data.index(b"avcC") + 7] <= 51  # the level (ISO/IEC 14496-15, 5.3.3.1)


def test_room_on_the_disk_is_checked_before_a_face_is_looked_for(
    fye: Run, model: Path, clip: Path, sticker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("followyouremoji.requests.placing.find_portrait")
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10**9, 10**9 - 1000, 1000))
    for options in ((), ("--side-by-side",), ("--no-paste",)):
        refused = fye("animate", sticker, clip, "-o", "made.webp", "--weights", model, *options)
        assert_refused(refused, "made.webp", "it may take", "0.0 MB free", "make room")
    assert_nothing_written()


@pytest.mark.parametrize("name", ["12:30/r.mp4", "-x.mp4", "a%d b.mp4", "größe 顔.webm", "file:r.mp4"])
def test_names_of_every_kind_are_written_with_their_sound(
    fye: Run, model: Path, clip: Path, name: str
) -> None:
    for folder in ("12:30",):
        Path(folder).mkdir()
    Path("100%d: in.mp4").write_bytes(clip.read_bytes())
    done = fye("animate", "bundled:max", "100%d: in.mp4", "-o", name, *quick(model))
    assert done.code == 0, done.err
    assert done.out.startswith(f"{name}: 2 frames, 0.1 s at 25 frames a second, with sound; made in ")
    with ClipReader(name) as made:
        assert made.info.has_sound
        assert len(list(made)) == 2
