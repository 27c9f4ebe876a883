"""Stickers as animated WebP."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

from PIL import Image

from followyouremoji.media.pictures import spread_colours
from followyouremoji.media.provenance import xmp_packet
from followyouremoji.stickers.clip import Clip, Level

_CLOCK = Fraction(1, 1000)
_BEST, _WORST, _STEP = 95, 20, 3  # of libwebp's quality, from 0 to 100


def levels(clip: Clip) -> list[Level]:
    """From the best quality to the least that is worth sending."""
    return [
        Level(f"WebP of quality {quality}", partial(_write, clip, quality))
        for quality in range(_BEST, _WORST - 1, -_STEP)
    ]


def _write(clip: Clip, quality: int, path: Path) -> None:
    starts = clip.starts(_CLOCK)
    pictures = [Image.fromarray(spread_colours(frame)) for frame in clip.frames]
    pictures[0].save(
        path,
        format="WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=[after - before for before, after in pairwise(starts)],
        loop=clip.loops,
        quality=quality,
        alpha_quality=100,
        method=4,
        xmp=xmp_packet(),
    )
