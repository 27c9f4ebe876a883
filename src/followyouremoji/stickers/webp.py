"""Stickers as animated WebP."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

from PIL import Image

from followyouremoji.provenance.record import xmp_packet
from followyouremoji.stickers.clip import Clip, Level

_CLOCK = Fraction(1, 1000)
_BEST, _FAIR, _WORST, _STEP = 92, 44, 8, 3  # of libwebp's quality, from 0 to 100
_OPACITY = 50  # the same of opacity: a tenth of the bytes less than without loss, 0.05 dB
# Method 6 takes a hundred times as long as 4, for 3 bytes in 100.
_METHOD = 4


def levels(clip: Clip) -> list[Level]:
    """From the best quality down; the first keeps opacity without loss."""
    pictures = [Image.fromarray(picture.spread) for picture in clip.pictures]
    return [
        Level(f"WebP of quality {quality}", partial(_write, clip, pictures, quality), fair=quality >= _FAIR)
        for quality in range(_BEST, _WORST - 1, -_STEP)
    ]


def _write(clip: Clip, pictures: list[Image.Image], quality: int, path: Path) -> None:
    pictures[0].save(
        path,
        format="WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=[end - begin for begin, end in pairwise(clip.starts(_CLOCK))],
        loop=clip.loops,
        quality=quality,
        alpha_quality=100 if quality == _BEST else _OPACITY,
        method=_METHOD,
        xmp=xmp_packet(clip.comment),
    )
