"""Procedural textures: noise, strokes, veins, fur and the like as grey tiles, pure functions of a kind and a seed."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np

TEXTURES = ("grain", "strokes", "veins", "fur", "dots", "clouds", "scales", "hatching", "ripples", "speckles")
HELD_OUT_TEXTURES = ("weave", "cracks", "mosaic")
"""No training draws them: they tell whether a model knows textures or its own textures."""

TILE = 384
"""Pixels a side of a tile."""


@lru_cache(maxsize=64)
def texture_tile(kind: str, seed: int) -> np.ndarray:
    """A texture ``(TILE, TILE)`` float32 of zero mean and values of about -1 to 1.

    Raises KeyError for a kind that is neither in `TEXTURES` nor in `HELD_OUT_TEXTURES`.
    """
    made = _MAKERS[kind](np.random.default_rng(seed))
    made = made - made.mean()
    return (made / max(2.0 * float(made.std()), 1e-6)).clip(-1.5, 1.5).astype(np.float32)


def smooth_noise(rng: np.random.Generator, cells: int, size: int = TILE) -> np.ndarray:
    """Smooth noise of unit variance at its nodes with features of ``size / cells`` pixels, ``(size, size)``."""
    coarse = rng.normal(0.0, 1.0, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def clouds(rng: np.random.Generator, cells: int = 6, size: int = TILE, octaves: int = 5) -> np.ndarray:
    """Noise of several octaves, each finer and weaker, ``(size, size)``."""
    return np.asarray(
        sum(smooth_noise(rng, cells * 2**k, size) / 1.6**k for k in range(octaves) if cells * 2**k <= size)
    )


def combed(rng: np.random.Generator, angle: np.ndarray, width: float, length: float) -> np.ndarray:
    """Noise smeared along a field of directions ``angle`` (radians): strands ``width`` wide and ``length`` long, in
    pixels."""
    field = rng.normal(0.0, 1.0, angle.shape).astype(np.float32)
    field = np.asarray(cv2.GaussianBlur(field, (0, 0), max(width, 0.3)), np.float32)
    y, x = np.indices(angle.shape, dtype=np.float32)
    across, down = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    step = 1.0
    # Each step averages the field with itself twice as far along: a box filter in log(length) passes.
    while step < length:
        moved = cv2.remap(
            field, x + step * across, y + step * down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        field = np.asarray(0.5 * (field + moved), np.float32)
        step *= 2.0
    return field / max(float(field.std()), 1e-6)


def cells(rng: np.random.Generator, count: int, size: int = TILE) -> tuple[np.ndarray, np.ndarray]:
    """A Voronoi diagram: distance to the nearest of ``count`` points, and its number, ``(size, size)`` each."""
    seeds = np.full((size, size), 255, np.uint8)
    at = rng.integers(0, size, (2, count))
    seeds[at[0], at[1]] = 0
    distance, nearest = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    return distance, nearest


def _edges(nearest: np.ndarray) -> np.ndarray:
    return (cv2.morphologyEx(nearest.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0).astype(
        np.float32
    )


def _grid(rng: np.random.Generator, slow: float, fast: float) -> tuple[np.ndarray, np.ndarray]:
    """Turned coordinates whose unit is a random period between ``slow`` and ``fast`` pixels, in radians."""
    y, x = np.indices((TILE, TILE), dtype=np.float32)
    turn, rate = rng.uniform(0.0, np.pi), 2.0 * np.pi / rng.uniform(slow, fast)
    return rate * (np.cos(turn) * x + np.sin(turn) * y), rate * (np.cos(turn) * y - np.sin(turn) * x)


def _grain(rng: np.random.Generator) -> np.ndarray:
    return smooth_noise(rng, int(rng.integers(60, 200)))


def _strokes(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0.0, np.pi) + smooth_noise(rng, 5)
    return np.tanh(1.5 * combed(rng, angle, rng.uniform(1.5, 3.0), 40.0))


def _fur(rng: np.random.Generator) -> np.ndarray:
    return combed(rng, rng.uniform(0.0, np.pi) + 0.6 * smooth_noise(rng, 5), 0.8, 16.0)


def _veins(rng: np.random.Generator) -> np.ndarray:
    warped = smooth_noise(rng, 6) + 0.5 * smooth_noise(rng, 13) + 0.2 * smooth_noise(rng, 41)
    return -np.exp(-12.0 * np.abs(warped)) + 0.3 * clouds(rng)


def _dots(rng: np.random.Generator) -> np.ndarray:
    along, across = _grid(rng, 5.0, 10.0)
    return np.cos(along) * np.cos(across)


def _hatching(rng: np.random.Generator) -> np.ndarray:
    along, across = _grid(rng, 4.0, 8.0)
    wobble = 0.8 * smooth_noise(rng, 12)
    return np.cos(along + wobble) + 0.6 * np.cos(across - wobble) * (rng.random() < 0.5)


def _ripples(rng: np.random.Generator) -> np.ndarray:
    y, x = np.indices((TILE, TILE), dtype=np.float32)
    reach = np.hypot(x - rng.uniform(-1.0, 2.0) * TILE, y - rng.uniform(-1.0, 2.0) * TILE)
    return np.sin(2.0 * np.pi * reach / rng.uniform(10.0, 24.0) + 2.5 * smooth_noise(rng, 6))


def _speckles(rng: np.random.Generator) -> np.ndarray:
    distance, nearest = cells(rng, int(rng.integers(400, 1200)))
    return -np.exp(-((distance / rng.uniform(1.5, 3.0)) ** 2)) * (1.0 + 0.5 * np.sin(1.7 * nearest))


def _scales(rng: np.random.Generator) -> np.ndarray:
    distance, nearest = cells(rng, int(rng.integers(400, 1400)))
    return -distance / distance.mean() + 0.5 * np.sin(2.3 * nearest)


def _weave(rng: np.random.Generator) -> np.ndarray:
    y, x = np.indices((TILE, TILE), dtype=np.float32)
    rate = 2.0 * np.pi / rng.uniform(5.0, 9.0)
    over = np.sin(0.5 * rate * x) * np.sin(0.5 * rate * y) > 0.0
    return np.where(over, np.abs(np.sin(rate * x)), np.abs(np.sin(rate * y))) + 0.2 * _grain(rng)


def _cracks(rng: np.random.Generator) -> np.ndarray:
    _, nearest = cells(rng, int(rng.integers(60, 140)))
    return -cv2.GaussianBlur(_edges(nearest), (0, 0), 0.8)


def _mosaic(rng: np.random.Generator) -> np.ndarray:
    _, nearest = cells(rng, int(rng.integers(500, 1100)))
    return np.sin(3.1 * nearest) - 2.5 * _edges(nearest)


_MAKERS: Mapping[str, Callable[[np.random.Generator], np.ndarray]] = MappingProxyType(
    {
        "grain": _grain,
        "strokes": _strokes,
        "veins": _veins,
        "fur": _fur,
        "dots": _dots,
        "clouds": clouds,
        "scales": _scales,
        "hatching": _hatching,
        "ripples": _ripples,
        "speckles": _speckles,
        "weave": _weave,
        "cracks": _cracks,
        "mosaic": _mosaic,
    }
)
