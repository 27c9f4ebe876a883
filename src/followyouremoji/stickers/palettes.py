"""Pictures in few colours, with opacity: a palette of a whole clip, and its frames as places in it.

A palette is uint8 (n, 4), straight RGBA; its entry 0 is fully transparent. All frames of a clip share one, so that what
stands still stays still.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_SAMPLED = 40_000  # pixels that a palette is made of
_ROUNDS = 12  # of k-means, at most
_TRANSLUCENT_SHARE = 8  # one of so many entries is for soft edges
_LUT_BITS = 6  # of each colour, by which its nearest entry is looked up: two levels at most are lost
_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16 - 15 / 32
_CHUNK = 1 << 16  # colours compared at a time


def make_palette(frames: Sequence[np.ndarray], colours: int, translucent: bool = True) -> np.ndarray:
    """The palette of `colours` entries, at most, that suits RGBA frames (height, width, 4): by k-means of their pixels,
    with a share of the entries for soft edges where `translucent`."""
    pixels = np.concatenate([_some_of(frame.reshape(-1, 4), _SAMPLED // len(frames)) for frame in frames])
    alpha = pixels[:, 3]
    opaque = pixels[alpha >= (255 if translucent else 128)]
    soft = pixels[(alpha > 0) & (alpha < 255)] if translucent else pixels[:0]
    for_soft = max(3, colours // _TRANSLUCENT_SHARE) if len(soft) else 0
    if not len(opaque):
        for_soft = colours - 1
    entries = [np.zeros((1, 4), np.uint8)]
    for_opaque = colours - 1 - for_soft
    if len(opaque):
        middles = _means(opaque[:, :3].astype(np.float32), for_opaque)
        entries.append(np.column_stack([middles, np.full(len(middles), 255.0)]).round().astype(np.uint8))
    if for_soft:
        middles = _means(_premultiplied(soft), for_soft)
        entries.append(_straight(middles))
    return np.concatenate(entries)


def _some_of(pixels: np.ndarray, count: int) -> np.ndarray:
    shown = pixels[pixels[:, 3] > 0]
    return shown[:: max(1, len(shown) // max(1, count))]


def _means(values: np.ndarray, count: int) -> np.ndarray:
    """At most `count` means of rows of values; the rows themselves where there are no more."""
    different = np.unique(values, axis=0)
    if len(different) <= count:
        return different
    cv2.setRNGSeed(0)  # the same palette of the same frames, every time
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, _ROUNDS, 0.5)
    _, _, middles = cv2.kmeans(values, count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    return np.asarray(middles)


def _premultiplied(pixels: np.ndarray) -> np.ndarray:
    values = pixels.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255
    return values


def _straight(values: np.ndarray) -> np.ndarray:
    colours = values.copy()
    colours[..., :3] *= 255 / np.maximum(values[..., 3:], 1.0)
    return colours.round().clip(0, 255).astype(np.uint8)


class Indexer:
    """Finds the nearest entries of a palette for pixels.

    Parameters
    ----------
    palette : as `make_palette` makes it.
    translucent : whether pixels are compared with their opacity; else those of half opacity or more count as opaque,
        and the others as transparent.
    """

    def __init__(self, palette: np.ndarray, translucent: bool = True) -> None:
        self._palette, self._translucent = palette, translucent
        self._opaque = np.flatnonzero(palette[:, 3] == 255)
        step = 1 << (8 - _LUT_BITS)
        levels = np.arange(0, 256, step, dtype=np.float32) + (step - 1) / 2
        grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
        nearest = _nearest(grid, palette[self._opaque, :3].astype(np.float32))
        self._table = (self._opaque[nearest] if len(self._opaque) else nearest).astype(np.uint8)

    def __call__(self, frame: np.ndarray, dither: float = 0.0) -> np.ndarray:
        """The places uint8 (height, width) in the palette of a frame uint8 (height, width, 4).

        `dither` is the span, in levels, of the ordered dither added to its colours before; 0 is none.
        """
        height, width = frame.shape[:2]
        colours = frame[..., :3]
        if dither:
            pattern = np.tile(_BAYER, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
            colours = (colours + dither * pattern).round().clip(0, 255).astype(np.uint8)
        red, green, blue = np.moveaxis(colours.astype(np.int32) >> (8 - _LUT_BITS), -1, 0)
        places = self._table[(red << 2 * _LUT_BITS) + (green << _LUT_BITS) + blue]
        alpha = frame[..., 3]
        if not self._translucent:
            return np.where(alpha >= 128, places, 0).astype(np.uint8)
        places[alpha == 0] = 0
        soft = (alpha > 0) & (alpha < 255)
        if soft.any():
            places[soft] = _nearest(_premultiplied(frame[soft]), _premultiplied(self._palette))
        return places


def _nearest(values: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """For each row of values the entry at the least distance: int (n,)."""
    if not len(entries):
        return np.zeros(len(values), int)
    lengths = (entries**2).sum(axis=1)
    found = [
        (lengths - 2 * (values[begin : begin + _CHUNK] @ entries.T)).argmin(axis=1)
        for begin in range(0, len(values), _CHUNK)
    ]
    return np.concatenate(found) if found else np.zeros(0, int)
