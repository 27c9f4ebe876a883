"""Facts of files that others wrote, and what is said against them."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from followyouremoji.errors import ClipError
from followyouremoji.stickers.checking import StickerFacts, read_facts, read_frames, violations
from followyouremoji.stickers.services import SERVICES
from tests.stickers.clips import faces

SIZE = (64, 48)
GOOD = StickerFacts("webm", "vp9", (512, 400), 200_000, (1 / 30,) * 90, True, None, False)


def by_pillow(path: Path, frames: list[np.ndarray], **options) -> None:
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)


def video(path: Path, codec: str, layout: str, with_sound: bool = False, **metadata: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, layout
        stream.metadata.update(metadata)
        if layout == "yuva420p":
            stream.options = {"auto-alt-ref": "0"}
        sound = container.add_stream("libopus", rate=48000) if with_sound else None
        for index, frame in enumerate(faces(5, SIZE)):
            shown = av.VideoFrame.from_ndarray(frame, format="rgba").reformat(format=layout)
            shown.pts, shown.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
            silence.sample_rate = 48000
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))


def test_pictures(tmp_path: Path) -> None:
    by_pillow(tmp_path / "a.webp", faces(4, SIZE), duration=[40, 80, 40, 40], loop=0)
    by_pillow(tmp_path / "a.png", faces(4, SIZE), duration=100, loop=3)
    by_pillow(tmp_path / "a.gif", faces(4, SIZE), duration=50)
    webp, png, gif = (read_facts(tmp_path / f"a.{kind}") for kind in ("webp", "png", "gif"))
    assert (webp.container, webp.loops, webp.transparent, webp.size) == ("webp", 0, True, SIZE)
    assert webp.times == pytest.approx((0.04, 0.08, 0.04, 0.04))
    assert (png.container, png.loops, png.transparent, png.seconds) == ("apng", 3, True, pytest.approx(0.4))
    assert (gif.container, gif.loops, gif.frames, gif.rate) == ("gif", 1, 4, pytest.approx(20))
    assert webp.bytes == (tmp_path / "a.webp").stat().st_size
    frames = read_frames(tmp_path / "a.png")
    for made, frame in zip(frames, faces(4, SIZE), strict=True):
        seen = frame[..., 3] > 0
        np.testing.assert_array_equal(made[seen], frame[seen])


def test_a_still_png_is_no_animated_one(tmp_path: Path) -> None:
    Image.fromarray(faces(1, SIZE)[0]).save(tmp_path / "still.png")
    assert read_facts(tmp_path / "still.png").container == "png"


def test_videos(tmp_path: Path) -> None:
    video(tmp_path / "clear.webm", "libvpx-vp9", "yuva420p", alpha_mode="1")
    video(tmp_path / "solid.webm", "libvpx-vp9", "yuv420p", with_sound=True)
    video(tmp_path / "other.mkv", "libx264", "yuv420p")
    clear, solid, other = (read_facts(tmp_path / name) for name in ("clear.webm", "solid.webm", "other.mkv"))
    assert (clear.container, clear.codec, clear.transparent, clear.sound) == ("webm", "vp9", True, False)
    assert clear.times == pytest.approx([0.1] * 5)
    assert (solid.transparent, solid.sound) == (False, True)
    assert (other.container, other.codec) == ("matroska", "h264")


def test_what_is_no_sticker_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.webm").write_text("not a video")
    (tmp_path / "short.webm").write_bytes(b"\x1aE\xdf\xa3webm")
    for name in ("text.webm", "short.webm", "missing.gif"):
        with pytest.raises(ClipError, match=name):
            read_facts(tmp_path / name)


def test_nothing_is_said_against_a_good_sticker() -> None:
    assert violations(GOOD, SERVICES["telegram"]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codec": "vp8"}, "vp8 in webm, not vp9"),
        ({"container": "matroska"}, "in matroska"),
        ({"size": (500, 500)}, "500x500"),
        ({"bytes": 256_001}, "256001 bytes, more than 256000"),
        ({"times": (0.05,) * 61}, r"3\.050 s, longer than 3"),
        ({"times": (0.03,) * 90}, r"33\.33 frames a second"),
        ({"sound": True}, "sound"),
    ],
)
def test_each_limit_of_telegram(change: dict, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert not violations(replace(GOOD, **change), SERVICES["telegram"])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("whatsapp", {"times": (0.007, 0.04)}, "7 ms, less than 8"),
        ("whatsapp", {"times": (0.04,)}, "fewer than 2 frames: 1"),
        ("signal", {"loops": 2}, "2 times, not endlessly"),
        ("signal", {"size": (512, 500)}, "square"),
        ("line", {"times": (0.05,) * 30}, "30 frames, more than 20"),
        ("line", {"times": (0.1,) * 15}, "no whole number"),
        ("line", {"loops": 0}, "endlessly, not 1 to 3 times"),
        ("line", {"loops": 2, "times": (0.1,) * 20}, r"4\.000 s in all"),
        ("line", {"transparent": False}, "nothing of it is transparent"),
        ("slack", {"times": (0.02,) * 51}, "51 frames"),
    ],
)
def test_limits_of_others(name: str, change: dict, words: str) -> None:
    format = SERVICES[name]
    container = format.container
    good = StickerFacts(container, container, format.size, 1000, (0.1,) * 10, True, format.loops(1.0), False)
    assert violations(good, format) == []
    with pytest.raises(AssertionError, match=words):
        assert not violations(replace(good, **change), format)
