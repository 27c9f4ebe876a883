"""Pictures in few colours, with opacity: a palette of a whole clip, and its frames as places in it.

A palette is uint8 (n, 4), straight RGBA; its entry 0 is fully transparent. All frames of a clip share one, so that what
stands still stays still.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_SAMPLED = 400_000  # pixels that a palette is made of
_BITS = 5  # of each colour, by which they are counted
_RARE = 0.5  # power of a colour's count: blue eyes are few pixels, and keep their blue
_ROUNDS = 12  # of k-means
_SOFT_SHARE = 8  # one of so many entries is for soft edges
_LUT_BITS = 6  # of each colour, by which its nearest entry is looked up: two levels at most are lost
_LOST_BITS = 8 - _LUT_BITS
_UNKNOWN = -1
_CHUNK = 1 << 16  # colours compared at a time
_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16 - 15 / 32


def make_palette(frames: Sequence[np.ndarray], colours: int, soft: bool = True) -> np.ndarray:
    """The palette of at most `colours` entries that suits RGBA frames (height, width, 4): k-means of their colours,
    where rare ones count for more than their pixels; with `soft`, a share of the entries is for soft edges."""
    pixels = [frame.reshape(-1, 4) for frame in frames]
    step = max(1, sum(map(len, pixels)) // _SAMPLED)
    seen = np.concatenate([some[::step] for some in pixels])
    alpha = seen[:, 3]
    opaque = seen[alpha >= (255 if soft else 128), :3].astype(np.float32)
    edges = _premultiplied(seen[(alpha > 0) & (alpha < 255)] if soft else seen[:0])
    for_edges = 0 if not len(edges) else colours - 1 if not len(opaque) else max(3, colours // _SOFT_SHARE)
    solid = _means(*_counted(opaque), colours - 1 - for_edges)
    entries = [
        np.zeros((1, 4)),
        np.column_stack([solid, np.full(len(solid), 255.0)]),
        _straight(_means(*_counted(edges), for_edges)),
    ]
    return np.concatenate(entries).round().clip(0, 255).astype(np.uint8)


def _counted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different values among rows (n, channels), alike ones as their mean, and what each counts for."""
    channels = values.shape[1]
    key = (values.astype(np.int64) >> (8 - _BITS)) @ (1 << _BITS * np.arange(channels))
    _, place, counts = np.unique(key, return_inverse=True, return_counts=True)
    sums = [np.bincount(place.ravel(), values[:, channel], len(counts)) for channel in range(channels)]
    return (np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None]).astype(np.float32), counts**_RARE


def _means(values: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """At most `count` means (n, channels) of weighted values: k-means, begun at the values that lie farthest from those
    taken before, which is the same every time."""
    if len(values) <= count or count < 1:
        return values[: max(count, 0)]
    middles = values[[weights.argmax()]]
    distance = ((values - middles[0]) ** 2).sum(axis=1)
    for _ in range(count - 1):
        farthest = values[(weights * distance).argmax()]
        middles = np.vstack([middles, farthest])
        distance = np.minimum(distance, ((values - farthest) ** 2).sum(axis=1))
    for _ in range(_ROUNDS):
        nearest = _nearest(values, middles)
        total = np.bincount(nearest, weights, count)
        sums = [
            np.bincount(nearest, weights * values[:, channel], count) for channel in range(values.shape[1])
        ]
        moved = (np.stack(sums, axis=1) / np.maximum(total, 1e-9)[:, None]).astype(np.float32)
        middles = np.where(total[:, None] > 0, moved, middles)
    return middles


def _premultiplied(pixels: np.ndarray) -> np.ndarray:
    values = pixels.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255
    return values


def _straight(values: np.ndarray) -> np.ndarray:
    colours = values.copy()
    colours[..., :3] *= 255 / np.maximum(values[..., 3:], 1.0)
    return colours


class Indexer:
    """Finds the nearest entries of a palette for pixels.

    Parameters
    ----------
    palette : as `make_palette` makes it.
    soft : whether pixels are compared with their opacity; else those of half opacity or more count as opaque,
        and the others as transparent.
    """

    def __init__(self, palette: np.ndarray, soft: bool = True) -> None:
        self._palette, self._soft = palette, soft
        self._solid = np.flatnonzero(palette[:, 3] == 255)
        self._table = np.full(1 << 3 * _LUT_BITS, _UNKNOWN, np.int16)  # filled as colours come

    def __call__(self, frame: np.ndarray, dither: float = 0.0) -> np.ndarray:
        """The places uint8 (height, width) in the palette of a frame uint8 (height, width, 4).

        `dither` is the span, in levels, of the ordered dither added to its colours before; 0 is none.
        """
        height, width = frame.shape[:2]
        colours = frame[..., :3]
        if dither:
            pattern = np.tile(_BAYER, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
            colours = (colours + dither * pattern).round().clip(0, 255).astype(np.uint8)
        red, green, blue = np.moveaxis(colours.astype(np.int32) >> _LOST_BITS, -1, 0)
        key = (red << 2 * _LUT_BITS) + (green << _LUT_BITS) + blue
        self._look_up(np.unique(key))
        places = self._table[key].astype(np.uint8)
        alpha = frame[..., 3]
        if not self._soft:
            return np.where(alpha >= 128, places, 0).astype(np.uint8)
        places[alpha == 0] = 0
        edge = (alpha > 0) & (alpha < 255)
        if edge.any():
            places[edge] = _nearest(_premultiplied(frame[edge]), _premultiplied(self._palette))
        return places

    def _look_up(self, keys: np.ndarray) -> None:
        """Have the opaque colours of some keys in the table."""
        keys = keys[self._table[keys] == _UNKNOWN]
        if len(self._solid):
            parts = np.stack([keys >> 2 * _LUT_BITS, keys >> _LUT_BITS, keys], axis=1) & (1 << _LUT_BITS) - 1
            middles = (parts << _LOST_BITS) + ((1 << _LOST_BITS) - 1) / 2
            entries = self._palette[self._solid, :3].astype(np.float32)
            self._table[keys] = self._solid[_nearest(middles.astype(np.float32), entries)]
        else:
            self._table[keys] = 0


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
