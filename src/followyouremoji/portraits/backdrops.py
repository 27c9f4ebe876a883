"""The backdrop of a person: glows, rooms, landscapes and patterns, drawn once for an identity and a size."""

from functools import lru_cache

import cv2
import numpy as np

from .palettes import BACKDROP, mixed, pick, toned
from .styles import Identity
from .textures import clouds, combed, smooth_noise

_SIDE = 192
"""Backdrops are soft: they are made this large and enlarged."""


@lru_cache(maxsize=16)
def backdrop_of(identity: Identity, side: int) -> np.ndarray:
    """The picture without the person, uint8 ``(side, side, 4)`` with full opacity."""
    rng = np.random.default_rng(identity.seed + 3)
    made = _SCENES[identity.scene](identity, rng)
    shown = cv2.resize(made.astype(np.float32).clip(0.0, 1.0), (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(np.rint(255.0 * shown.clip(0.0, 1.0)).astype(np.uint8), cv2.COLOR_RGB2RGBA)


def _axes() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.indices((_SIDE, _SIDE), dtype=np.float32) / _SIDE
    return x, y


def _between(identity: Identity, fraction: np.ndarray) -> np.ndarray:
    """Colours from the backdrop's (0) to its edge's (1), ``(_SIDE, _SIDE, 3)``."""
    first, second = np.array(identity.backdrop), np.array(identity.backdrop_edge)
    return first + np.clip(fraction, 0.0, 1.0)[..., None] * (second - first)


def _glow(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    x, y = _axes()
    cx, cy = rng.uniform(0.2, 0.8), rng.uniform(0.15, 0.6)
    return _between(identity, np.hypot(x - cx, y - cy) / 0.8)


def _gradient(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    x, y = _axes()
    turn = rng.uniform(0.0, 2.0 * np.pi)
    return _between(identity, 0.5 + 0.8 * ((x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn)))


def _bokeh(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """Lights out of focus."""
    picture = _gradient(identity, rng)
    for _ in range(int(rng.integers(6, 24))):
        layer = picture.copy()
        colour = mixed(pick(rng, BACKDROP), identity.backdrop, rng.uniform(0.0, 0.6))
        cv2.circle(
            layer,
            tuple(rng.integers(0, _SIDE, 2).tolist()),
            int(rng.integers(5, 36)),
            colour,
            -1,
            cv2.LINE_AA,
        )
        picture += rng.uniform(0.15, 0.6) * (layer - picture)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(1.0, 5.0))


def _shapes(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """Large pieces of colour, sharp or soft, as of furniture, walls and posters."""
    picture = _gradient(identity, rng).astype(np.float32)
    for _ in range(int(rng.integers(2, 8))):
        corners = rng.integers(0, _SIDE, 2) + rng.integers(-90, 90, (int(rng.integers(3, 6)), 2))
        hull = cv2.convexHull(corners.astype(np.int32))
        cv2.fillConvexPoly(
            picture, hull, mixed(identity.backdrop, pick(rng, BACKDROP), rng.uniform(0.2, 0.9))
        )
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 8.0))


def _clouds(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    return _between(identity, 0.5 + rng.uniform(0.15, 0.4) * clouds(rng, int(rng.integers(4, 10)), _SIDE))


def _stripes(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    x, y = _axes()
    turn, rate = rng.choice([0.0, 0.25, 0.5]) * np.pi, rng.integers(4, 16)
    wave = np.sin(2.0 * np.pi * rate * (x * np.cos(turn) + y * np.sin(turn)))
    return _between(identity, 0.5 + np.clip(3.0 * wave, -0.5, 0.5))


def _checks(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    x, y = _axes()
    rate = rng.integers(3, 14)
    wave = np.sin(2.0 * np.pi * rate * x) * np.sin(2.0 * np.pi * rate * y)
    return _between(identity, 0.5 + np.clip(rng.uniform(0.8, 4.0) * wave, -0.5, 0.5))


def _dark(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """An old painting's ground: brown dark, brushed, lighter on one side."""
    x, y = _axes()
    ground = np.array(toned(identity.backdrop, -0.12 if sum(identity.backdrop) > 1.2 else 0.0, 0.8))
    side = rng.choice([-1.0, 1.0])
    glow = 0.75 + 0.5 * np.exp(-(((x - 0.5 + 0.35 * side) / 0.4) ** 2) - ((y - 0.4) / 0.5) ** 2)
    brushed = combed(rng, rng.uniform(0, np.pi) + smooth_noise(rng, 4, _SIDE), 1.6, 24.0)
    return (glow + 0.06 * brushed)[..., None] * ground


def _landscape(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """Sky, hills and ground, out of focus."""
    y = _axes()[1]
    picture = _between(identity, 1.2 * y)
    for k in range(3):
        ridge = 0.35 + 0.15 * k + 0.06 * smooth_noise(rng, 8, _SIDE)[0][None, :]
        land = np.array(mixed(identity.backdrop_edge, pick(rng, BACKDROP), 0.35)) * (0.85 - 0.18 * k)
        weight = np.clip((y - ridge) * 40.0, 0.0, 1.0)[..., None]
        picture = picture + weight * (land * (1.0 + 0.08 * smooth_noise(rng, 24, _SIDE))[..., None] - picture)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 3.0))


def _room(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """A wall with a window, a picture or shelves, out of focus."""
    picture = _gradient(identity, rng).astype(np.float32)
    left, width = int(rng.integers(-20, 120)), int(rng.integers(40, 90))
    top, height = int(rng.integers(-10, 40)), int(rng.integers(50, 110))
    glass = toned(identity.backdrop, 0.15 if rng.random() < 0.6 else -0.2)
    frame = toned(identity.backdrop_edge, -0.15)
    cv2.rectangle(picture, (left - 4, top - 4), (left + width + 4, top + height + 4), frame, -1)
    cv2.rectangle(picture, (left, top), (left + width, top + height), glass, -1)
    cv2.line(picture, (left + width // 2, top), (left + width // 2, top + height), frame, 3)
    shelf = int(rng.integers(120, 180))
    cv2.rectangle(picture, (0, shelf), (_SIDE, _SIDE), toned(identity.backdrop_edge, -0.08), -1)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 5.0))


_SCENES = {
    "glow": _glow,
    "gradient": _gradient,
    "bokeh": _bokeh,
    "shapes": _shapes,
    "clouds": _clouds,
    "stripes": _stripes,
    "checks": _checks,
    "dark": _dark,
    "landscape": _landscape,
    "room": _room,
}
