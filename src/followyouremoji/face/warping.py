"""A first guess of an animated portrait: its picture bent by its landmarks, as a thin plate.

The guess is right where the head merely turned and wrong where something opens, closes or comes into view. A network that is given it
learns from fewer examples what to keep, and carries over texture that it never saw in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from followyouremoji.face.drawing import face_mask
from followyouremoji.face.topology import FACE_OVAL_LOOP
from followyouremoji.face.window import FaceWindow, averaged

STIFFNESS = 1e-3  # keeps the plate from folding where landmarks of a turned head crowd together
EDGE = 0.03  # of the face's height: how softly a generated face goes over into the guess, inside its contour
EDGE_PIXELS = 3.0  # width of that edge at which it is computed where it is wider
NODES = 64  # a side, of the grid on which a whole picture's plate is evaluated
WINDOW_GRID = 4  # pixels between those in a face's window
FAITHFUL = 30.0  # grey levels of change beyond which the guess's fine texture is no longer carried over
BLUR = 1.0  # pixels of a window, over which that change is judged
BORDER = np.array([(x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0) if (x, y) != (0.5, 0.5)])
REMEMBERED = 256  # plates, 30 kB each


@dataclass(frozen=True)
class ThinPlate:
    """Where each place of a bent picture comes from: the thin-plate spline of Bookstein (1989), regularised by `STIFFNESS`.

    Landmarks guide it, and eight points of the border, which stays where it is. Coordinates are shares of the picture's `size` (width,
    height), so that one stiffness serves every picture.
    """

    at: np.ndarray  # (n, 2) guides in the bent picture
    weights: np.ndarray  # (n, 2) of the radial functions
    affine: np.ndarray  # (3, 2)
    size: tuple[int, int] = (1, 1)

    @classmethod
    def bend(cls, own_points: np.ndarray, points: np.ndarray, size: tuple[int, int]) -> ThinPlate:
        """The plate that takes landmarks `own_points` (478, 2) to `points` (478, 2), in pixels of a picture of `size`.

        The last few are remembered: a frame's guess and the finished frame are bent by the same landmarks.
        """
        own, bent = (np.asarray(one, np.float64) for one in (own_points, points))
        return _remembered_plate(own.tobytes(), bent.tobytes(), size)

    @classmethod
    def through(cls, guides: np.ndarray, values: np.ndarray, size: tuple[int, int] = (1, 1)) -> ThinPlate:
        """The plate that has the `values` (n, 2) at `guides` (n, 2), both in shares of `size`."""
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
        """Where in the unbent picture the `places` (n, 2) of the bent one come from, both in pixels; computed in the precision of `places`."""
        precision = places.dtype
        at, weights, affine = (part.astype(precision) for part in (self.at, self.weights, self.affine))
        size = np.array(self.size, precision)
        shares = places / size
        found: np.ndarray = _radial(shares, at) @ weights + affine[0] + shares @ affine[1:]
        return found * size


@lru_cache(maxsize=REMEMBERED)
def _remembered_plate(own_points: bytes, points: bytes, size: tuple[int, int]) -> ThinPlate:
    own, bent = (np.frombuffer(one).reshape(-1, 2) for one in (own_points, points))
    return ThinPlate.through(bent / size, own / size, size)


def warp_portrait(picture: np.ndarray, own_points: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bend a portrait so that its face takes another pose.

    `picture` uint8 (height, width, 3); `own_points` and `points` (478, 2) are its landmarks as they are and as they shall be, in pixels.
    The picture's border stays where it is. Returns uint8 (height, width, 3).
    """
    height, width = picture.shape[:2]
    plate = ThinPlate.bend(own_points, points, (width, height))
    columns, rows = (np.arange(NODES) + 0.5) * width / NODES, (np.arange(NODES) + 0.5) * height / NODES
    places = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    sources = plate.sources(places.astype(np.float32))
    return _remapped(picture, sources.reshape(NODES, NODES, 2), (width, height))


def warp_into_window(
    picture: np.ndarray, own_points: np.ndarray, points: np.ndarray, window: FaceWindow
) -> np.ndarray:
    """What `warp_portrait` gives, seen through a window that lies where the face shall be: uint8 (size, size, 3), resampled once."""
    plate = ThinPlate.bend(own_points, points, (picture.shape[1], picture.shape[0]))
    nodes = window.size // WINDOW_GRID
    steps = (np.arange(nodes) + 0.5) * WINDOW_GRID
    places = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    picture, factor = averaged(picture, window.scale)
    sources = plate.sources(window.to_picture(places).astype(np.float32)) / factor
    return _remapped(picture, sources.reshape(nodes, nodes, 2), (window.size, window.size))


def blend_face(guess: np.ndarray, generated: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A generated face, softly edged, in the bent portrait, whose contour and surroundings are sharp and follow the landmarks.

    `guess` uint8 and `generated` of any type (height, width, 3); `points` (478, 2) are the face's landmarks in their pixels.
    Returns uint8 alike.
    """
    part, soft = _soft_face(points, (guess.shape[1], guess.shape[0]))
    return _blended(guess, generated[part], part, soft)


def place_face(
    guess: np.ndarray, generated: np.ndarray, coded_guess: np.ndarray, window: FaceWindow, points: np.ndarray
) -> np.ndarray:
    """`blend_face` of `with_texture_of_guess`, whose parameters these are, computed only where the face is: uint8 as `guess`."""
    part, soft = _soft_face(points, (guess.shape[1], guess.shape[0]))
    if not soft.size:
        return guess.copy()
    shifted = window.seen_from(part[1].start, part[0].start)
    return _blended(guess, with_texture_of_guess(guess[part], generated, coded_guess, shifted), part, soft)


def with_texture_of_guess(
    guess: np.ndarray, generated: np.ndarray, coded_guess: np.ndarray, window: FaceWindow
) -> np.ndarray:
    """A generated face in the resolution of the bent portrait, with its fine texture where the face hardly differs from it.

    What the autoencoder loses of the guess it loses of a result, too: where both are alike, the guess's own pixels and the *change* that
    the network made are better than the generated pixels; where they differ (an eye that closes), the generated ones alone are right.

    Parameters
    ----------
    guess : uint8 (height, width, 3), the bent portrait.
    generated, coded_guess : uint8 (size, size, 3), in `window`: the result, and the guess once through the autoencoder.

    Returns
    -------
    float32 (height, width, 3), right inside the window.
    """
    size = (guess.shape[1], guess.shape[0])
    result, coded = generated.astype(np.float32), coded_guess.astype(np.float32)
    amount = np.abs(cv2.GaussianBlur(result - coded, (0, 0), BLUR)).mean(axis=-1, keepdims=True)
    kept = np.exp(-((amount / FAITHFUL) ** 2))
    # weight * (guess + result - coded) + (1 - weight) * result, with one pass of interpolation less
    laid = window.lay_over(np.concatenate([result, kept], axis=-1), size)
    mixed = guess - window.lay_over(coded, size)
    mixed *= laid[..., 3:].clip(0, 1)
    mixed += laid[..., :3]
    return mixed


def _soft_face(points: np.ndarray, size: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Where (rows, columns) of a picture of `size` (width, height) a generated face shows, and float32 (rows, columns, 1) how much.

    The face's mask, narrowed by 1.5 and blurred by 1 of the edge's width.
    """
    edge = max(1.0, EDGE * float(np.ptp(points[:, 1])))
    reach = (
        np.ceil(2.5 * edge) + 2
    )  # beyond the contour: what is left of the blur there is below a grey level
    oval = points[list(FACE_OVAL_LOOP)]
    low = np.clip(np.floor(oval.min(axis=0) - reach), 0, size).astype(int)
    high = np.clip(np.ceil(oval.max(axis=0) + reach), low, size).astype(int)
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    width, height = (int(extent) for extent in high - low)
    if width == 0 or height == 0:
        return part, np.zeros((height, width, 1), np.float32)
    mask = face_mask(points - low, (width, height)).astype(np.uint8)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5)
    narrow = (distance > round(1.5 * edge)).astype(np.float32)
    # So wide a blur is as smooth when it is computed on fewer pixels.
    small = [max(1, round(extent / max(1.0, edge / EDGE_PIXELS))) for extent in (width, height)]
    few = cv2.resize(narrow, small, interpolation=cv2.INTER_AREA)
    few = cv2.GaussianBlur(few, (0, 0), edge * small[0] / width, sigmaY=edge * small[1] / height)
    soft = cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR)
    return part, soft[..., None]


def _blended(
    guess: np.ndarray, generated: np.ndarray, part: tuple[slice, slice], soft: np.ndarray
) -> np.ndarray:
    """`guess` with the `generated` content of its `part` as far as `soft` shows it."""
    mixed: np.ndarray = generated - guess[part].astype(np.float32)
    mixed = mixed * soft + guess[part]
    result = guess.copy()
    result[part] = np.rint(mixed).clip(0, 255).astype(np.uint8)
    return result


def _radial(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The thin plate's kernel r^2 log r between points (m, 2) and centres (n, 2): (m, n), of their type."""
    ones = np.ones_like
    norms, lengths = (points**2).sum(axis=1, keepdims=True), (centres**2).sum(axis=1, keepdims=True)
    # r^2 = |p|^2 + |c|^2 - 2 p.c as one product
    left = np.concatenate([points, norms, ones(norms)], axis=1)
    right = np.concatenate([-2 * centres, ones(lengths), lengths], axis=1)
    squared = left @ right.T
    np.maximum(squared, 1e-12, out=squared)
    kernel: np.ndarray = cv2.log(squared)
    kernel *= squared
    kernel *= 0.5
    return kernel


@lru_cache(maxsize=16)
def _enlargement(cells: int, extent: int) -> np.ndarray:
    """What values in the middles of `cells` are in the middles of `extent` pixels, linearly: float32 (extent, cells)."""
    place = (np.arange(extent) + 0.5) * cells / extent - 0.5
    below = np.clip(np.floor(place), 0, cells - 2).astype(int)  # half a cell at each edge goes on linearly
    matrix = np.zeros((extent, cells), np.float32)
    pixels = np.arange(extent)
    matrix[pixels, below] = 1 - (place - below)
    matrix[pixels, below + 1] = place - below
    matrix.flags.writeable = False
    return matrix


def _remapped(picture: np.ndarray, sources: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture of `size` (width, height) whose places come from `sources` in `picture`, known in the middles of a grid (rows, columns, 2)."""
    rows, columns = sources.shape[:2]
    down, across = _enlargement(rows, size[1]), _enlargement(columns, size[0])
    x, y = (down @ (grid @ across.T) for grid in np.moveaxis(sources - 0.5, -1, 0))
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
