"""A first guess of an animated portrait: its picture bent by its landmarks, as a thin plate.

The guess is right where the head merely turned and wrong where something opens, closes or comes into view. A network that is given it
learns from fewer examples what to keep, and carries over texture that it never saw in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from followyouremoji.face.drawing import face_mask
from followyouremoji.face.window import FaceWindow

STIFFNESS = 1e-3  # keeps the plate from folding where landmarks of a turned head crowd together
EDGE = 0.03  # of the face's height: how softly a generated face goes over into the guess, inside its contour
NODES = 64  # a side, of the grid on which a whole picture's plate is evaluated
WINDOW_GRID = 4  # pixels between those in a face's window
FAITHFUL = 30.0  # grey levels of change beyond which the guess's fine texture is no longer carried over
BLUR = 1.0  # pixels of a window, over which that change is judged


@dataclass(frozen=True)
class ThinPlate:
    """Where each place of a bent picture comes from: the thin-plate spline of Bookstein (1989), regularised by `STIFFNESS`.

    All 478 landmarks guide it, and eight points of the border, which stays where it is. Coordinates are shares of the picture's `size`
    (width, height), so that one stiffness serves every picture.
    """

    at: np.ndarray  # (n, 2) guides in the bent picture
    weights: np.ndarray  # (n, 2) of the radial functions
    affine: np.ndarray  # (3, 2)
    size: tuple[int, int]

    @classmethod
    def bend(cls, own_points: np.ndarray, points: np.ndarray, size: tuple[int, int]) -> ThinPlate:
        """The plate that takes landmarks `own_points` (478, 2) to `points` (478, 2), in pixels of a picture of `size`."""
        border = np.array([(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1) if (x, y) != (0.5, 0.5)])
        at = np.concatenate([points / size, border])
        n = len(at)
        affine = np.concatenate([np.ones((n, 1)), at], axis=1)
        system = np.zeros((n + 3, n + 3))
        system[:n, :n] = _radial(at, at) + STIFFNESS * np.eye(n)
        system[:n, n:] = affine
        system[n:, :n] = affine.T
        values = np.concatenate([own_points / size, border, np.zeros((3, 2))])
        solution = np.linalg.solve(system, values)
        return cls(at, solution[:n], solution[n:], size)

    def sources(self, places: np.ndarray) -> np.ndarray:
        """Where in the unbent picture the `places` (n, 2) of the bent one come from, both in pixels."""
        shares = places / self.size
        bent = _radial(shares.astype(np.float32), self.at.astype(np.float32)) @ self.weights.astype(
            np.float32
        )
        found: np.ndarray = bent + self.affine[0] + shares @ self.affine[1:]
        return found * self.size


def warp_portrait(picture: np.ndarray, own_points: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Bend a portrait so that its face takes another pose.

    `picture` uint8 (height, width, 3); `own_points` and `points` (478, 2) are its landmarks as they are and as they shall be, in pixels.
    The picture's border stays where it is. Returns uint8 (height, width, 3).
    """
    height, width = picture.shape[:2]
    plate = ThinPlate.bend(own_points, points, (width, height))
    columns, rows = (np.arange(NODES) + 0.5) * width / NODES, (np.arange(NODES) + 0.5) * height / NODES
    places = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    return _remapped(picture, (plate.sources(places) - places).reshape(NODES, NODES, 2), (width, height))


def warp_into_window(
    picture: np.ndarray, own_points: np.ndarray, points: np.ndarray, window: FaceWindow
) -> np.ndarray:
    """What `warp_portrait` gives, seen through a window that lies where the face shall be: uint8 (size, size, 3), resampled once."""
    height, width = picture.shape[:2]
    plate = ThinPlate.bend(own_points, points, (width, height))
    nodes = window.size // WINDOW_GRID
    steps = (np.arange(nodes) + 0.5) * WINDOW_GRID
    places = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    sources = plate.sources(window.to_picture(places))
    factor = int(window.scale)
    if factor > 1:  # averaged first, where the picture is finer than the window
        height, width = height // factor, width // factor
        picture = cv2.resize(
            picture[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA
        )
        sources = sources / factor
    return _remapped(picture, (sources - places).reshape(nodes, nodes, 2), (window.size, window.size))


def blend_face(guess: np.ndarray, generated: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A generated face, softly edged, in the bent portrait, whose contour and surroundings are sharp and follow the landmarks.

    `guess` uint8 and `generated` of any type (height, width, 3); `points` (478, 2) are the face's landmarks in their pixels.
    Returns uint8 alike.
    """
    height, width = guess.shape[:2]
    edge = max(1.0, EDGE * float(np.ptp(points[:, 1])))
    mask = face_mask(points, (width, height)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(1.5 * edge) + 1,) * 2)
    soft = cv2.GaussianBlur(cv2.erode(mask, kernel).astype(np.float32), (0, 0), edge)[..., None]
    return np.rint(guess + soft * (generated.astype(np.float32) - guess)).clip(0, 255).astype(np.uint8)


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
    change = generated.astype(np.float32) - coded_guess
    amount = np.abs(cv2.GaussianBlur(change, (0, 0), BLUR)).mean(axis=-1, keepdims=True)
    kept = np.exp(-((amount / FAITHFUL) ** 2))
    weight = window.lay_over(kept, size).clip(0, 1)[..., None]
    exact = guess + window.lay_over(change, size)
    mixed: np.ndarray = weight * exact + (1 - weight) * window.lay_over(generated.astype(np.float32), size)
    return mixed


def _radial(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The thin plate's kernel r^2 log r between points (m, 2) and centres (n, 2): (m, n), of their type."""
    squared = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * (points @ centres.T)
    np.maximum(squared, 1e-12, out=squared)
    kernel: np.ndarray = np.log(squared)
    kernel *= squared
    kernel *= 0.5
    return kernel


def _remapped(picture: np.ndarray, offsets: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture of `size` (width, height) whose pixels come from `picture` at offsets known on a regular grid of cell middles (rows, columns, 2)."""
    rows, columns = offsets.shape[:2]
    width, height = size
    # half a cell at each edge goes on linearly
    grown = np.pad(offsets, ((1, 1), (1, 1), (0, 0)), mode="reflect", reflect_type="odd").astype(np.float32)
    x, y = (
        ((np.arange(n, dtype=np.float32) + 0.5) * cells / n + 0.5).astype(np.float32)
        for n, cells in ((width, columns), (height, rows))
    )
    columns_at, rows_at = np.meshgrid(x, y)
    dense = cv2.remap(grown, columns_at, rows_at, cv2.INTER_LINEAR)
    across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(
        picture,
        across + dense[..., 0],
        down + dense[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
