"""Stickers in few colours: animated PNG, which takes soft edges, and GIF, whose pixels are there or not."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from followyouremoji.media.animations import ApngEncoder, add_gif_comment, add_png_comment
from followyouremoji.media.provenance import GENERATED_COMMENT
from followyouremoji.media.videos import add_pictures, opened_for_writing
from followyouremoji.stickers.clip import Clip, Level
from followyouremoji.stickers.palettes import Indexer, make_palette

if TYPE_CHECKING:
    import av

_GIF_CLOCK = Fraction(1, 100)
_COLOURS = (256, 192, 128, 96, 64, 48, 32, 24, 16)


def apng_levels(clip: Clip) -> list[Level]:
    """Without loss, then in ever fewer colours."""
    exact = Level("PNG without loss", partial(_write_exact, clip))
    return [exact, *(Level(f"PNG of {n} colours", partial(_write_apng, clip, n)) for n in _COLOURS)]


def gif_levels(clip: Clip) -> list[Level]:
    """In ever fewer colours."""
    return [Level(f"GIF of {n} colours", partial(_write_gif, clip, n)) for n in _COLOURS]


def _write_exact(clip: Clip, path: Path) -> None:
    encoder = ApngEncoder(path, clip.rate, clip.size, GENERATED_COMMENT, clip.transparent, plays=clip.loops)
    with closing(encoder):
        for frame in clip.frames:
            encoder.write(frame if clip.transparent else frame[..., :3])
        encoder.finish()


def _write_apng(clip: Clip, colours: int, path: Path) -> None:
    palette = make_palette(clip.frames, colours)
    places = map(Indexer(palette), clip.frames)
    plain = path.with_name("plain.apng")
    with opened_for_writing(plain, "apng", plays=str(clip.loops)) as output:
        stream = add_pictures(output, "apng", clip.rate, clip.size, "pal8", {"pred": "mixed"})
        for index, picture in enumerate(places):
            output.mux(stream.encode(_frame(picture, palette, index, 1 / clip.rate)))
        output.mux(stream.encode(None))
    add_png_comment(plain, path, GENERATED_COMMENT)


def _write_gif(clip: Clip, colours: int, path: Path) -> None:
    palette = make_palette(clip.frames, colours, translucent=False)
    indexer = Indexer(palette, translucent=False)
    starts = clip.starts(_GIF_CLOCK)
    plain = path.with_name("plain.gif")
    last = starts[-1] - starts[-2]
    with opened_for_writing(plain, "gif", loop="0", final_delay=str(last)) as output:
        stream = add_pictures(output, "gif", clip.rate, clip.size, "pal8", {})
        stream.codec_context.time_base = _GIF_CLOCK
        for start, frame in zip(starts, clip.frames, strict=False):
            output.mux(stream.encode(_frame(indexer(frame), palette, start, _GIF_CLOCK)))
        output.mux(stream.encode(None))
    add_gif_comment(plain, path, GENERATED_COMMENT)


def _frame(places: np.ndarray, palette: np.ndarray, time: int, clock: Fraction) -> av.VideoFrame:
    import av

    argb = np.zeros((256, 4), np.uint8)
    argb[: len(palette)] = palette[:, [3, 0, 1, 2]]
    frame = av.VideoFrame.from_ndarray(cast(Any, (places, argb)), format="pal8")
    frame.pts, frame.time_base = time, clock
    return frame
