"""Looks: how a whole picture is recoloured and textured, so that a model learns to reproduce any portrait instead of a
    fixed cast.

A look works on any picture of a face with landmarks, drawn or not. It belongs to an identity: the same look makes all
its pictures. Its texture sticks to the face (it moves, turns and stretches with the skin) or to the canvas (paper,
film, screen).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from followyouremoji.face.topology import FACE_OVAL_LOOP, N_MESH, mean_face
from followyouremoji.face.warping import ThinPlateSpline

from .textures import TEXTURES, TILE, texture_tile

FACE_IN_TILE = 0.6
"""Height of the mean face relative to the tile."""
GRID = 24
"""Nodes a side at which the texture's place on a picture is evaluated."""
GUIDES = (
    *FACE_OVAL_LOOP[::3],
    *(1, 4, 6, 168, 151, 33, 133, 362, 263, 61, 291, 0, 17, 50, 280, 105, 334, 205, 425),
)
"""The landmarks that a texture sticks to: enough for its place, few enough to be quick."""

Row = tuple[float, float, float, float]


@dataclass(frozen=True)
class Look:
    """How an identity's pictures are recoloured and textured; the defaults leave them as they are.

    Attributes
    ----------
    colours : rows of matrix and offset of RGB about mid-grey; None leaves the colours
    gamma : of brightness; below 1 lightens
    levels : of brightness, 0 for as many as there are
    texture : one of `TEXTURES` or `HELD_OUT_TEXTURES` that sticks to the face, or None
    canvas : like `texture`, but sticks to the picture
    scale : of the textures, 1 for a face of `FACE_IN_TILE` of a tile
    strength, canvas_strength : the largest fraction by which they darken or brighten
    brush : radius in 1/256 of the side of a filter that turns surfaces to dabs of paint, 0 for none
    ink : how dark lines are drawn along edges, 0..1
    seed : of the textures
    """

    colours: tuple[Row, Row, Row] | None = None
    gamma: float = 1.0
    levels: int = 0
    texture: str | None = None
    scale: float = 1.0
    strength: float = 0.0
    canvas: str | None = None
    canvas_strength: float = 0.0
    brush: float = 0.0
    ink: float = 0.0
    seed: int = 0

    @classmethod
    def random(cls, rng: np.random.Generator, textures: tuple[str, ...] = TEXTURES) -> Look:
        """Four in ten pictures stay as they are; the others are recoloured, textured, or both. No held-out texture
        unless asked for."""
        if rng.random() < 0.4:
            return cls()
        recoloured, textured, on_canvas = rng.random(3) < (0.6, 0.55, 0.25)
        return cls(
            random_colours(rng) if recoloured else None,
            float(np.exp(rng.normal(0.0, 0.25))) if recoloured else 1.0,
            int(rng.integers(4, 10)) if rng.random() < 0.08 else 0,
            str(rng.choice(textures)) if textured else None,
            float(np.exp(rng.uniform(np.log(0.5), np.log(2.0)))),
            float(0.05 + 0.4 * rng.beta(1.2, 2.2)),
            str(rng.choice(textures)) if on_canvas else None,
            rng.uniform(0.04, 0.16),
            rng.uniform(1.5, 3.0) if rng.random() < 0.12 else 0.0,
            rng.uniform(0.2, 0.6) if rng.random() < 0.10 else 0.0,
            int(rng.integers(2**31)),
        )

    @property
    def is_plain(self) -> bool:
        """Whether `apply` would return the picture as it is."""
        return self == Look()

    def apply(self, picture: np.ndarray, points: np.ndarray) -> np.ndarray:
        """A picture uint8 ``(size, size, 3)`` of a face with landmarks ``points`` (478, 2) in pixels, in this look."""
        if self.is_plain:
            return picture
        size = picture.shape[0]
        if self.brush:
            picture = _dabs(picture, self.brush * size / 256.0)
        lines = _lines(picture, self.ink) if self.ink else None
        result = picture.astype(np.float32) / 255.0
        if self.colours is not None:
            matrix = np.array(self.colours, np.float32)
            result = cv2.transform(result - 0.5, matrix) + 0.5
        np.clip(result, 0.0, 1.0, out=result)
        if self.gamma != 1.0:
            cv2.pow(result, self.gamma, result)
        if self.levels:
            result = np.round(result * self.levels) / self.levels
        factor = np.ones((size, size), np.float32) if lines is None else lines
        if self.texture is not None:
            x, y = _places(points, size, self.scale)
            tile = texture_tile(self.texture, self.seed)
            factor *= 1.0 + self.strength * cv2.remap(
                tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
            )
        if self.canvas is not None:
            factor *= 1.0 + self.canvas_strength * _sheet(self.canvas, self.seed + 1, size)
        if self.texture or self.canvas or lines is not None:
            result *= factor[..., None]
        return np.rint(result.clip(0.0, 1.0) * 255.0).astype(np.uint8)


def random_colours(rng: np.random.Generator) -> tuple[Row, Row, Row]:
    """A colour matrix near the identity; one in five goes towards one hue, as a drawing in charcoal or sepia."""
    matrix = np.eye(3, 4) + rng.normal(0.0, 0.12, (3, 4)) * (1.0, 1.0, 1.0, 0.3)
    if rng.random() < 0.2:
        grey = np.full((3, 3), 1.0 / 3.0) * rng.uniform(0.85, 1.15, (3, 1))
        matrix[:, :3] += rng.uniform(0.5, 1.0) * (grey - matrix[:, :3])
    first, second, third = (tuple(row) for row in matrix.tolist())
    return first, second, third


def _dabs(picture: np.ndarray, radius: float) -> np.ndarray:
    """Small detail gathered to flat patches with clear borders: medians keep edges where a blur would not."""
    aperture = 2 * max(1, round(0.5 * radius)) + 1
    return cv2.medianBlur(picture, aperture)


def _lines(picture: np.ndarray, darkness: float) -> np.ndarray:
    """Factors that are small along edges, ``(size, size)``: the difference of two blurs, cut off smoothly."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255.0
    spread = picture.shape[0] / 256.0
    edge = cv2.GaussianBlur(grey, (0, 0), 0.8 * spread) - cv2.GaussianBlur(grey, (0, 0), 1.6 * spread)
    return np.asarray(1.0 - darkness * np.clip(-24.0 * edge - 0.15, 0.0, 1.0), np.float32)


@lru_cache(maxsize=64)
def _sheet(kind: str, seed: int, size: int) -> np.ndarray:
    """A texture that lies on the whole picture, at 256 pixels as fine as its tile."""
    tile = texture_tile(kind, seed)[:256, :256]
    return tile if size == 256 else cv2.resize(tile, (size, size), interpolation=cv2.INTER_AREA)


def _places(points: np.ndarray, size: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Where in the tile each pixel's texture lies, float32 ``(size, size)`` each: on the face, where the mean face has
    that spot.

    A thin-plate spline through `GUIDES`, evaluated on a coarse grid.
    """
    guides = list(GUIDES)
    spline = ThinPlateSpline.through(points[guides] / size, _on_tile()[guides])
    steps = (np.arange(GRID) + 0.5) / GRID
    found = spline.sources(np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2))
    coarse = (found * (TILE * scale)).reshape(GRID, GRID, 2)
    coarse = np.pad(coarse, ((1, 1), (1, 1), (0, 0)), mode="reflect", reflect_type="odd").astype(np.float32)
    # OpenCV interpolates in steps of 1/32 of a cell; all published figures are of portraits textured so.
    rows = ((np.arange(size) + 0.5) * GRID / size + 0.5).astype(np.float32)
    across, down = np.meshgrid(rows, rows)
    dense = cv2.remap(coarse, across, down, cv2.INTER_LINEAR)
    return np.ascontiguousarray(dense[..., 0]), np.ascontiguousarray(dense[..., 1])


@lru_cache(maxsize=1)
def _on_tile() -> np.ndarray:
    """``(468, 2)`` the mean face's landmarks in the middle of a tile, relative to its side."""
    face = mean_face()[:N_MESH, :2] * (1.0, -1.0)
    return np.asarray((face - face.mean(axis=0)) * (FACE_IN_TILE / np.ptp(face[:, 1])) + 0.5)
