"""Stickers as GIF: at most 256 colours, and each pixel is opaque or not there."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from followyouremoji.media.animations import add_gif_comment
from followyouremoji.media.videos import add_pictures, opened_for_writing
from followyouremoji.stickers.clip import Clip, Level
from followyouremoji.stickers.palettes import Indexer, make_palette

if TYPE_CHECKING:
    import av

_CLOCK = Fraction(1, 100)
_DITHERED = ((256, 12.0), (256, 6.0))  # colours, and the span of the dither in levels
_COLOURS = (256, 224, 192, 160, 128, 112, 96, 80, 64, 56, 48, 40, 32, 28, 24, 20, 16, 12, 8)
_FAIR = 32  # colours, below which faces become spots


def levels(clip: Clip) -> list[Level]:
    """In all colours with dither, then in ever fewer without: of two files of the same size, the one with more colours
    and no dither is nearer to the frames."""

    flat = [picture.flat for picture in clip.pictures]

    def write(colours: int, dither: float, path: Path) -> None:
        palette = make_palette(flat, colours, soft=False)
        indexer = Indexer(palette, soft=False)
        _write(clip, [indexer(frame, dither) for frame in flat], palette, path)

    dithered = (
        Level(f"GIF of {n} colours, dithered by {dither:g} levels", partial(write, n, dither))
        for n, dither in _DITHERED
    )
    plain = (Level(f"GIF of {n} colours", partial(write, n, 0.0), fair=n >= _FAIR) for n in _COLOURS)
    return [*dithered, *plain]


def _write(clip: Clip, pictures: list[np.ndarray], palette: np.ndarray, path: Path) -> None:
    starts = clip.starts(_CLOCK)
    plain = path.with_name("plain.gif")
    last = str(starts[-1] - starts[-2])
    with opened_for_writing(plain, "gif", loop="0", final_delay=last) as output:
        stream = add_pictures(output, "gif", clip.rate, clip.size, "pal8", {})
        stream.codec_context.time_base = _CLOCK
        for start, picture in zip(starts, pictures, strict=False):
            output.mux(stream.encode(_frame(picture, palette, start)))
        output.mux(stream.encode(None))
    add_gif_comment(plain, path, clip.comment)


def _frame(picture: np.ndarray, palette: np.ndarray, start: int) -> av.VideoFrame:
    import av

    argb = np.zeros((256, 4), np.uint8)
    argb[: len(palette)] = palette[:, [3, 0, 1, 2]]
    frame = av.VideoFrame.from_ndarray(cast(Any, (picture, argb)), format="pal8")
    frame.pts, frame.time_base = start, _CLOCK
    return frame
