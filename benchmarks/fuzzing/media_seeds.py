"""Small pictures and clips of every kind that is read, made by the project's own libraries: what
`media_mutations` breaks."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from PIL import Image, ImageCms

SIDE = 64  # pixels; small, for many reads a second, and as many as the encoder of HEVC needs
FRAMES, RATE = 12, 24


def picture(number: int = 0, mode: str = "RGB") -> Image.Image:
    """A gradient with a square that wanders, of a Pillow `mode`."""
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.linspace(0, 255, SIDE), np.linspace(0, 255, SIDE)[:, None]
    pixels[8:24, 2 * number : 2 * number + 16, 2] = 255
    pixels[..., 3] = np.linspace(40, 255, SIDE)
    image = Image.fromarray(pixels)
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def _moving(kind: str, mode: str, **options: Any) -> bytes:
    first, *others = (picture(number, mode) for number in range(4))
    return _saved(first, kind, save_all=True, append_images=others, duration=80, **options)


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"  # orientation, make
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    return exif.tobytes()


def pictures() -> Iterator[bytes]:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield _saved(picture(), "PNG", icc_profile=profile, exif=_exif())
    small = _saved(picture(mode="RGBA"), "PNG")
    yield small
    yield _saved(picture(mode="P"), "PNG", transparency=3)
    yield _saved(picture(mode="L").convert("I;16"), "PNG")
    yield _moving("PNG", "RGBA", disposal=1, blend=1)
    yield _saved(picture(), "JPEG", exif=_exif(), icc_profile=profile, comment=b"a comment")
    yield _saved(picture(), "JPEG", progressive=True)
    yield _saved(picture(mode="CMYK"), "JPEG")
    yield _saved(picture(), "MPO", save_all=True, append_images=[picture(1)])
    yield _saved(picture(mode="RGBA"), "WEBP", exif=_exif(), icc_profile=profile)
    yield _saved(picture(mode="RGBA"), "WEBP", lossless=True)
    yield _moving("WEBP", "RGBA")
    yield _saved(picture(mode="P"), "GIF")
    yield _moving("GIF", "RGBA", disposal=2, loop=0)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        yield _saved(picture(), "TIFF", compression=compression)
    yield _saved(picture(mode="F"), "TIFF")
    yield _saved(picture(), "BMP")
    yield _saved(picture(mode="RGBA"), "ICO", sizes=[(32, 32), (48, 48)])
    icon = b"icp6" + struct.pack(">I", 8 + len(small)) + small  # 64x64
    yield b"icns" + struct.pack(">I", 8 + len(icon)) + icon
    yield _saved(picture(), "JPEG2000")
    for kind in ("TGA", "DDS", "SGI", "PCX", "PPM", "QOI"):
        yield _saved(picture(), kind)
    yield _saved(picture(mode="RGBA"), "AVIF", exif=_exif(), speed=10)
    yield _moving("AVIF", "RGB", speed=10)
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
        yield _saved(picture(), "HEIF", exif=_exif())


CLIPS: tuple[tuple[Any, ...], ...] = (
    ("mp4", "libx264", "aac"),
    ("mp4", "libx264", None, 90, {"movflags": "+faststart"}),
    ("mp4", "libx264", "aac", 0, {"movflags": "frag_keyframe+empty_moov"}),
    ("mp4", "libx265"),
    ("mov", "mjpeg", "pcm_s16le"),
    ("mov", "png"),
    ("webm", "libvpx", "libopus"),
    ("webm", "libvpx-vp9"),
    ("matroska", "libx264", "flac"),
    ("matroska", "ffv1"),
    ("avi", "mpeg4", "libmp3lame"),
    ("avi", "mjpeg", "pcm_s16le"),
    ("mpegts", "mpeg2video", "mp2"),
    ("mpeg", "mpeg2video"),
    ("flv", "libx264", "aac"),
    ("h264", "libx264"),
    ("gif", "gif"),
)
"""Container, codecs of pictures and sound, degrees of rotation, and options of the container."""


def clips() -> Iterator[bytes]:
    """Those whose encoder this FFmpeg lacks are left out."""
    for one in CLIPS:
        # For the index at the front FFmpeg opens a file anew.
        with suppress(av.codec.codec.UnknownCodecError), TemporaryDirectory() as folder:
            _write_clip(Path(folder) / "clip", *one)
            yield (Path(folder) / "clip").read_bytes()


def _write_clip(
    path: Path,
    kind: str,
    codec: str,
    sound: str | None = None,
    turned: int = 0,
    options: dict[str, str] | None = None,
) -> None:
    layouts = {"gif": "rgb8", "mjpeg": "yuvj420p", "png": "rgb24"}
    with av.open(str(path), "w", format=kind, options=options) as container:
        stream: Any = container.add_stream(codec, rate=RATE)
        stream.width = stream.height = SIDE
        stream.pix_fmt = layouts.get(codec, "yuv420p")
        if codec.startswith("libx26"):
            stream.options = {"preset": "ultrafast", "x265-params": "log-level=error"}
        if turned:
            stream.set_display_rotation(turned)
        heard = None if sound is None else _add_sound(container, sound)
        for number in range(FRAMES):
            frame = av.VideoFrame.from_image(picture(number))
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))
        if heard is not None:
            container.mux(_tone(heard))
            container.mux(heard.encode(None))


def _add_sound(container: Any, codec: str) -> Any:
    rate = 16000 if codec in ("mp2", "libmp3lame") else 8000
    return container.add_stream(codec, rate=rate, layout="mono")


def _tone(stream: Any) -> list[Any]:
    rate = stream.rate
    size = stream.codec_context.frame_size or 1024
    packets: list[Any] = []
    resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate)
    for first in range(0, rate * FRAMES // RATE, size):
        wave = np.sin(np.arange(first, first + size) * (2 * np.pi * 440 / rate)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
        for one in resampler.resample(frame):
            packets += stream.encode(one)
    return packets
