"""A portrait warped by its landmarks, as a thin-plate spline: a first approximation of an animated frame.

It is right where the head merely turned and wrong where something opens, closes or comes into view. A network
that is given it learns from fewer examples what to keep, and carries over texture that it never saw in training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from followyouremoji.face.window import FaceWindow, averaged

STIFFNESS = 1e-3  # keeps the spline from folding where landmarks of a turned head crowd together
NODES = 64  # a side, of the grid on which a whole picture's spline is evaluated
WINDOW_GRID = 4  # pixels between those in a face's window
ROWS = 256  # of a warped picture, computed at once: as many as stay in a processor's memory
PLACES = 512  # at which a spline is evaluated at once, likewise
BORDER = np.array([(x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0) if (x, y) != (0.5, 0.5)])
CACHED = 256  # splines, 30 kB each


@dataclass(frozen=True)
class ThinPlateSpline:
    """Where each place of a warped picture comes from: the thin-plate spline of Bookstein (1989), regularised by
    `STIFFNESS`.

    Landmarks guide it, and eight points of the border, which stays where it is. Coordinates are shares of the picture's
    `size` (width, height), so that one stiffness serves every picture.
    """

    at: np.ndarray  # (n, 2) guides in the warped picture
    weights: np.ndarray  # (n, 2) of the radial functions
    affine: np.ndarray  # (3, 2)
    size: tuple[int, int] = (1, 1)

    @classmethod
    def between(cls, own_points: np.ndarray, points: np.ndarray, size: tuple[int, int]) -> ThinPlateSpline:
        """The spline that takes landmarks `own_points` (478, 2) to `points` (478, 2), in pixels of a picture of `size`.

        The last few are remembered: a frame's warp at low and at full resolution has the same landmarks.
        """
        own, warped = (np.asarray(one, np.float64) for one in (own_points, points))
        return _cached_spline(own.tobytes(), warped.tobytes(), size)

    @classmethod
    def through(
        cls, guides: np.ndarray, values: np.ndarray, size: tuple[int, int] = (1, 1)
    ) -> ThinPlateSpline:
        """The spline that has the `values` (n, 2) at `guides` (n, 2), both in shares of `size`."""
        at = np.concatenate([guides, BORDER])
        n = len(at)
        affine = np.concatenate([np.ones((n, 1)), at], axis=1)
        system = np.zeros((n + 3, n + 3))
        system[:n, :n] = _radial(at, at) + STIFFNESS * np.eye(n)
        system[:n, n:] = affine
        system[n:, :n] = affine.T
        solution = np.linalg.solve(system, np.concatenate([values, BORDER, np.zeros((3, 2))]))
        solution.flags.writeable = False
        return cls(at, solution[:n], solution[n:], size)

    def sources(self, places: np.ndarray) -> np.ndarray:
        """Where in the original picture the `places` (n, 2) of the warped one come from, both in pixels; computed in
        the precision of `places`."""
        precision = places.dtype
        at, weights, affine = (part.astype(precision) for part in (self.at, self.weights, self.affine))
        size = np.array(self.size, precision)
        shares = places / size
        found = affine[0] + shares @ affine[1:]
        for start in range(0, len(shares), PLACES):
            found[start : start + PLACES] += _radial(shares[start : start + PLACES], at) @ weights
        found *= size
        return found


@lru_cache(maxsize=CACHED)
def _cached_spline(own_points: bytes, points: bytes, size: tuple[int, int]) -> ThinPlateSpline:
    own, warped = (np.frombuffer(one).reshape(-1, 2) for one in (own_points, points))
    return ThinPlateSpline.through(warped / size, own / size, size)


def warp_portrait(
    picture: np.ndarray,
    own_points: np.ndarray,
    points: np.ndarray,
    part: tuple[slice, slice] = (slice(None), slice(None)),
) -> np.ndarray:
    """Warp a portrait so that its face takes another pose.

    `picture` uint8 (height, width, 3), or a channel (height, width); `own_points` and `points` (478, 2) are its
    landmarks as they are and as they shall be, in pixels. The picture's border stays where it is. Returns uint8 alike,
    of the warped picture the `part` (rows, columns) that is asked for.
    """
    height, width = picture.shape[:2]
    spline = ThinPlateSpline.between(own_points, points, (width, height))
    down, across = _enlargement(NODES, height)[part[0]], _enlargement(NODES, width)[part[1]]
    rows, columns = (np.flatnonzero(weights.any(axis=0)) for weights in (down, across))  # that count there
    places = np.stack(np.meshgrid((columns + 0.5) * width / NODES, (rows + 0.5) * height / NODES), axis=-1)
    sources = spline.sources(places.reshape(-1, 2).astype(np.float32)).reshape(places.shape)
    return _remapped(picture, sources, down[:, rows], across[:, columns])


def warp_into_window(
    picture: np.ndarray,
    own_points: np.ndarray,
    points: np.ndarray,
    window: FaceWindow,
    shrink: Callable[[np.ndarray, float], tuple[np.ndarray, int]] = averaged,
) -> np.ndarray:
    """What `warp_portrait` gives, seen through a window that lies where the face shall be: uint8 (size, size, 3),
    resampled once.

    `shrink` is `averaged`, or knows what that gave for the picture before.
    """
    spline = ThinPlateSpline.between(own_points, points, (picture.shape[1], picture.shape[0]))
    nodes = window.size // WINDOW_GRID
    steps = (np.arange(nodes) + 0.5) * WINDOW_GRID
    places = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    picture, factor = shrink(picture, window.scale)
    sources = spline.sources(window.to_picture(places).astype(np.float32)) / factor
    enlargement = _enlargement(nodes, window.size)
    return _remapped(picture, sources.reshape(nodes, nodes, 2), enlargement, enlargement)


def _radial(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The thin-plate spline's kernel r^2 log r between points (m, 2) and centres (n, 2): (m, n), of their type."""
    ones = np.ones_like
    norms, lengths = (points**2).sum(axis=1, keepdims=True), (centres**2).sum(axis=1, keepdims=True)
    # r^2 = |p|^2 + |c|^2 - 2 p.c as one product
    left = np.concatenate([points, norms, ones(norms)], axis=1)
    right = np.concatenate([-2 * centres, ones(lengths), lengths], axis=1)
    squared = left @ right.T
    cv2.max(squared, 1e-12, dst=squared)  # type: ignore[call-overload]  # which takes a number, too
    kernel: np.ndarray = cv2.log(squared)
    kernel *= squared
    kernel *= 0.5
    return kernel


@lru_cache(maxsize=16)
def _enlargement(cells: int, extent: int) -> np.ndarray:
    """What values in the middles of `cells` are in the middles of `extent` pixels, linearly: float32 (extent,
    cells)."""
    place = (np.arange(extent) + 0.5) * cells / extent - 0.5
    below = np.clip(np.floor(place), 0, cells - 2).astype(int)  # half a cell at each edge goes on linearly
    matrix = np.zeros((extent, cells), np.float32)
    pixels = np.arange(extent)
    matrix[pixels, below] = 1 - (place - below)
    matrix[pixels, below + 1] = place - below
    matrix.flags.writeable = False
    return matrix


def _remapped(picture: np.ndarray, sources: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """A picture whose places come from `sources` in `picture`, known on a grid (rows, columns, 2) that `down` (height,
    rows) and `across` (width, columns) enlarge to its pixels."""
    planes = np.ascontiguousarray(np.moveaxis(sources - 0.5, -1, 0))  # x and y
    wide = [plane @ across.T for plane in planes]  # (rows, width)
    warped = np.empty((len(down), len(across), *picture.shape[2:]), picture.dtype)
    for top in range(0, len(down), ROWS):
        weights = down[top : top + ROWS]
        near = weights.any(axis=0)  # the few rows of the grid that count here
        x, y = (weights[:, near] @ grid[near] for grid in wide)
        part = warped[top : top + ROWS]
        cv2.remap(picture, x, y, cv2.INTER_LINEAR, dst=part, borderMode=cv2.BORDER_REPLICATE)
    return warped
