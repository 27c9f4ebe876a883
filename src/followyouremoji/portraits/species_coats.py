"""Patterns of the coats of `species`: spots, stripes, patches, blotches and feathers."""

from __future__ import annotations

import cv2
import numpy as np

from .species import SPECIES
from .styles import Identity
from .textures import cells, smooth_noise


def species_pattern(
    identity: Identity, rng: np.random.Generator, size: int, weight: np.ndarray | float
) -> np.ndarray:
    """What multiplies the coat's colours, ``(size, size, 3)``: spots, stripes or patches, as strong as `weight`."""
    kind = SPECIES[identity.animal].pattern
    shade = np.zeros((size, size, 3), np.float32)
    y, x = np.indices((size, size), dtype=np.float32)
    if kind == "rosettes":
        distance, nearest = cells(rng, size * size // 560, size)
        ring = np.exp(-(((distance - 5.0) / 2.0) ** 2)) * (np.sin(2.1 * nearest + 0.35 * x) > -0.65)
        shade += (0.72 * ring + 0.22 * (distance < 4.0))[..., None] * (0.9, 1.0, 1.05)
    elif kind == "stripes":
        wave = np.sin(
            (y + 12.0 * smooth_noise(rng, 7, size) - 0.35 * np.abs(x - 0.5 * size)) * (2.0 * np.pi / 25.0)
        )
        shade += (0.86 * np.clip(2.2 * wave + 0.3, 0.0, 1.0))[..., None] * (1.0, 1.0, 0.98)
    elif kind == "patches":
        edge = _to_border(cells(rng, size * size // 1500, size)[1])
        shade += (np.clip((edge - 1.6) / 1.2, 0.0, 1.0))[..., None] * (0.28, 0.48, 0.62)
    elif kind == "blotches":
        blotch = np.clip(3.0 * smooth_noise(rng, 5, size) - 1.2, 0.0, 1.0)
        shade += blotch[..., None] * (0.74, 0.77, 0.78)
    elif kind == "feathers":
        rows = np.cos(x * (2.0 * np.pi / 12.0) + np.pi * (np.floor(y / 9.0) % 2))
        shade += (0.35 * np.clip(rows, 0.0, 1.0) * (0.3 + 0.7 * (y % 9.0) / 9.0))[..., None]
    if np.ndim(weight):
        weight = np.asarray(weight)[..., None]
    return 1.0 - shade * weight


def _to_border(nearest: np.ndarray) -> np.ndarray:
    """Pixels to the nearest border between cells."""
    border = cv2.morphologyEx(nearest.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    return np.asarray(cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, 5))
