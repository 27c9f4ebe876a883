"""Stickers as animated PNG: without loss, or in few colours with soft edges, whose frames are put together here.

FFmpeg's encoder filters the rows of pictures with a palette, as suits those without, which makes them half as large
again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from followyouremoji.media.animations import ApngEncoder, png_chunk, png_comment
from followyouremoji.stickers.clip import Clip, Level
from followyouremoji.stickers.palettes import Indexer, make_palette

_COLOURS = (256, 224, 192, 160, 128, 112, 96, 80, 64, 56, 48, 40, 32, 28, 24, 20, 16, 12, 8)
_FAIR = 24  # colours, below which faces become spots
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WITH_PALETTE, _NO_FILTER = 3, 0  # PNG, third edition, 11.2.1 and 9.2
_REPLACE, _OVER = 0, 1  # the same, 11.3.5.2


def levels(clip: Clip) -> list[Level]:
    """Without loss, then in ever fewer colours."""

    flat = [picture.flat for picture in clip.pictures]

    def write(colours: int, path: Path) -> None:
        palette = make_palette(flat, colours)
        path.write_bytes(animated_png(list(map(Indexer(palette), flat)), palette, clip))

    fewer = (Level(f"PNG of {n} colours", partial(write, n), fair=n >= _FAIR) for n in _COLOURS)
    return [Level("PNG without loss", partial(_write_exact, clip)), *fewer]


def _write_exact(clip: Clip, path: Path) -> None:
    encoder = ApngEncoder(path, clip.rate, clip.size, clip.comment, clip.transparent, plays=clip.loops)
    with closing(encoder):
        for picture in clip.pictures:
            encoder.write(picture.layers if clip.transparent else picture.layers[..., :3])
        encoder.finish()


def animated_png(pictures: Sequence[np.ndarray], palette: np.ndarray, clip: Clip) -> bytes:
    """An animated PNG of pictures uint8 (height, width), places in a palette (n, 4), with a clip's times and loops."""
    width, height = clip.size
    delay = (clip.seconds / len(pictures)).limit_denominator(0xFFFF)
    number = count()  # of frame controls and data in one row
    chunks = [
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _WITH_PALETTE, 0, 0, 0)),
        png_comment(clip.comment),
        png_chunk(b"acTL", struct.pack(">II", len(pictures), clip.loops)),
        png_chunk(b"PLTE", palette[:, :3].tobytes()),
        png_chunk(b"tRNS", palette[:, 3].tobytes()),
    ]
    for top, left, shape, data, blending in _changes(pictures, palette):
        place = (next(number), shape[1], shape[0], left, top)
        times = (delay.numerator, delay.denominator)
        first = len(chunks) == 5
        chunks.append(png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", *place, *times, 0, blending)))
        chunks.append(
            png_chunk(b"IDAT", data) if first else png_chunk(b"fdAT", struct.pack(">I", next(number)) + data)
        )
    return b"".join([_SIGNATURE, *chunks, png_chunk(b"IEND", b"")])


def _changes(
    pictures: Sequence[np.ndarray], palette: np.ndarray
) -> Iterator[tuple[int, int, tuple[int, ...], bytes, int]]:
    """Top, left, shape and compressed pixels of the part of each picture that is not as in the one before, and how it
    is laid there.

    It replaces what was there; or, where that is shorter, only its changed pixels lie over it, which cannot take away
    opacity.
    """
    before = None
    for picture in pictures:
        changed = np.ones(picture.shape, bool) if before is None else picture != before
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        top, left, bottom, right = 0, 0, 1, 1  # a frame has at least one pixel
        if len(rows):
            top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        part = (slice(top, bottom), slice(left, right))
        choices = [(_deflated(picture[part]), _REPLACE)]
        if before is not None:
            hides = (palette[picture[changed], 3] == 255) | (palette[before[changed], 3] == 0)
            if hides.all():
                choices.append((_deflated(np.where(changed, picture, 0)[part]), _OVER))
        data, blending = min(choices, key=lambda choice: len(choice[0]))
        yield int(top), int(left), picture[part].shape, data, blending
        before = picture


def _deflated(pixels: np.ndarray) -> bytes:
    return zlib.compress(np.pad(pixels, ((0, 0), (1, 0)), constant_values=_NO_FILTER).tobytes(), 9)
