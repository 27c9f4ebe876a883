"""Fine texture of skin, fur, stone, hair and cloth: textures that multiply the colours of a surface and stay on it.

The head's map unrolls it about the vertical: `MAP_CM` centimetres around and down, ``MAP`` pixels a side, the middle at
the nose.
"""

from functools import lru_cache

import cv2
import numpy as np

from .head import HAIR_COLUMNS, HAIR_ROWS
from .shading import beard_weight, head_at_rest
from .species import SPECIES
from .species_coats import species_pattern
from .styles import Identity
from .textures import cells, clouds, combed, smooth_noise, texture_tile

MAP = 384
MAP_CM = 30.0
_RADIUS = 9.0
_AXIS_Z = -4.0
_MIDDLE_Y = -0.5

HAIR_MAP = 256


def _unrolled(points: np.ndarray) -> np.ndarray:
    """Pixels on the head's map of points of the head at rest, ``(N, 2)``."""
    angle = np.arctan2(points[:, 0], points[:, 2] - _AXIS_Z)
    places = np.stack([_RADIUS * angle, _MIDDLE_Y - points[:, 1]], axis=1)
    return np.asarray(MAP * (0.5 + places / MAP_CM))


@lru_cache(maxsize=64)
def head_places(identity: Identity) -> np.ndarray:
    """Where the head's vertices lie on its map, ``(N, 2)`` pixels."""
    return _unrolled(head_at_rest(identity))


@lru_cache(maxsize=1)
def _map_centimetres() -> tuple[np.ndarray, np.ndarray]:
    """Centimetres to the side of the nose and above the canonical origin, for every pixel of the head's map."""
    y, x = np.indices((MAP, MAP), dtype=np.float32)
    angle = ((x + 0.5) / MAP - 0.5) * (MAP_CM / _RADIUS)
    up = _MIDDLE_Y - ((y + 0.5) / MAP - 0.5) * MAP_CM
    return 1.05 * _RADIUS * np.sin(np.clip(angle, -1.5, 1.5)), up


@lru_cache(maxsize=24)
def head_coat(identity: Identity) -> np.ndarray | None:
    """The texture that multiplies the head's colours, uint8 ``(MAP, MAP, 3)``; None where nothing would be seen."""
    rng = np.random.default_rng(identity.seed)
    if identity.finish != "soft" or identity.style == "emoji":
        return None
    if identity.material != "none":
        coat = _stone(identity, rng)
    elif identity.animal != "none":
        coat = _fur(identity, rng)
    else:
        coat = _skin(identity, rng)
    return (255.0 * coat.clip(0.0, 1.0)).astype(np.uint8)


def _scattered(
    rng: np.random.Generator, places: np.ndarray, radius: tuple[float, float], blur: float
) -> np.ndarray:
    """Soft discs at ``(N, 2)`` pixels of the map, 0 to 1."""
    spots = np.zeros((MAP, MAP), np.uint8)
    for x, y in places:
        size = rng.uniform(*radius)
        centre = (round(float(x) * 16), round(float(y) * 16))
        cv2.circle(spots, centre, round(size * 16), [int(rng.integers(120, 256))], -1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(spots.astype(np.float32) / 255.0, (0, 0), blur)


def _skin(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    x, y = _map_centimetres()
    age = identity.age if identity.style != "cartoon" else 0.3 * identity.age
    smooth = 0.35 if identity.style == "cartoon" else 1.0
    uneven = np.clip(0.5 + 0.28 * clouds(rng, 8, MAP, 3), 0.0, 1.0)
    pores = np.clip(0.5 + 0.3 * smooth_noise(rng, 170, MAP), 0.0, 1.0)
    grey = 1.0 - smooth * ((0.03 + 0.06 * age) * uneven + (0.03 + 0.06 * age) * pores)
    coat = grey[..., None] * np.ones(3, np.float32)
    # Blood shows through unevenly: green and blue vary more than red.
    ruddy = np.clip(smooth_noise(rng, 11, MAP), 0.0, 2.0)[..., None]
    coat *= 1.0 - smooth * 0.03 * ruddy * (0.0, 1.0, 0.8)
    if identity.freckles:
        count = int(60 + 220 * identity.freckles)
        centimetres = rng.normal(0.0, (4.2, 1.8), (count, 2)) + np.array([0.0, -0.2])
        pixels = MAP * (0.5 + np.stack([centimetres[:, 0], _MIDDLE_Y - centimetres[:, 1]], axis=1) / MAP_CM)
        spots = _scattered(rng, pixels, (0.7, 2.0), 0.8)
        coat *= 1.0 - (0.30 + 0.35 * identity.freckles) * spots[..., None] * (0.55, 0.85, 1.0)
    if identity.moles:
        pixels = MAP * (0.5 + rng.uniform((-6.0, -6.5), (6.0, 6.0), (identity.moles, 2)) / MAP_CM)
        coat *= 1.0 - 0.85 * _scattered(rng, pixels, (1.6, 2.8), 0.6)[..., None] * (0.75, 0.9, 1.0)
    if age > 0.75:
        pixels = MAP * (0.5 + rng.uniform((-9.0, -8.0), (9.0, 8.0), (14, 2)) / MAP_CM)
        coat *= 1.0 - 0.28 * age * _scattered(rng, pixels, (2.0, 5.0), 1.6)[..., None] * (0.6, 0.85, 1.0)
    if identity.beard != "none":
        weight = beard_weight(x, y, identity.beard)
        if identity.beard == "stubble":
            bristles = np.clip(1.5 * smooth_noise(rng, 190, MAP), 0.0, 1.0)
            coat *= 1.0 - 0.45 * (weight * bristles)[..., None]
        else:
            down = np.pi / 2 + np.arctan2(-x, 6.0) * 0.8 + 0.35 * smooth_noise(rng, 14, MAP)
            strands = np.clip(0.5 + 0.28 * combed(rng, down, 0.8, 14.0), 0.0, 1.0)
            coat *= 1.0 - 0.55 * (weight * strands)[..., None]
    return coat


def _fur(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    """Hair that grows away from the nose, with the stripes or spots of its kind."""
    x, y = _map_centimetres()
    away = np.arctan2(-(y + 1.0), x) + 0.25 * smooth_noise(rng, 12, MAP)
    strands = combed(rng, away, 0.9, 18.0)
    tufts = combed(rng, away, 2.5, 28.0)
    # Fur is shortest, and its drawing faintest, around eyes and mouth: what they do stays clear.
    outer = 1.0 - 0.85 * np.exp(-((x / 6.0) ** 4) - ((y - 0.3) / 6.0) ** 4)
    coat = 1.0 - np.clip(0.08 + outer * (0.055 * strands + 0.03 * tufts), 0.0, 0.4)
    striped = identity.animal == "tiger" or (identity.animal == "cat" and 0.4 <= identity.marking <= 0.75)
    if striped:
        wobble = 0.7 * smooth_noise(rng, 9, MAP)
        brow = np.cos(2.2 * np.abs(x) + wobble) * np.exp(-(((y - 9.0) / 2.0) ** 2)) * (np.abs(x) < 5.0)
        cheek = np.cos(2.4 * (y + 0.25 * np.abs(x)) + wobble) * np.clip((np.abs(x) - 6.2) / 1.5, 0.0, 1.0)
        bars = np.clip(3.0 * np.maximum(brow, cheek) - 1.0, 0.0, 1.0)
        coat = coat * (1.0 - (0.55 if identity.animal == "tiger" else 0.4) * outer * bars)
    elif identity.animal == "dog" and identity.marking > 0.9:
        distance, _ = cells(rng, 110, MAP)
        coat = coat * (1.0 - 0.5 * outer * np.clip(2.0 - 0.35 * distance, 0.0, 1.0))
    spread = np.repeat(coat[..., None], 3, axis=2)
    if identity.animal in SPECIES:
        # Patterns end further out still: detectors, too, lose a face in spots and stripes.
        outside = 1.0 - 0.9 * np.exp(-((x / 6.4) ** 6) - ((y - 0.3) / 6.6) ** 6)
        spread = spread * species_pattern(identity, rng, MAP, outside)
    return spread


@lru_cache(maxsize=24)
def fur_coat(identity: Identity) -> np.ndarray | None:
    """Fur beyond the face, to repeat over ears, crown and chest: hair that hangs, uint8 ``(256, 256, 3)``; None for
    people."""
    if identity.animal == "none":
        return None
    rng = np.random.default_rng(identity.seed + 4)
    down = np.pi / 2 + 0.5 * smooth_noise(rng, 8, 256)
    hair = 0.12 + 0.07 * combed(rng, down, 0.8, 18.0) + 0.04 * combed(rng, down, 2.2, 28.0)
    coat = np.repeat(1.0 - np.clip(hair, 0.0, 0.5)[..., None], 3, axis=2)
    if identity.animal in SPECIES:
        coat = coat * species_pattern(identity, rng, 256, 0.9)
    return (255.0 * coat).astype(np.uint8)


def _stone(identity: Identity, rng: np.random.Generator) -> np.ndarray:
    grey = np.ones((MAP, MAP, 3), np.float32)
    seed = identity.seed
    if identity.material == "marble":
        vein = np.clip(-texture_tile("veins", seed), 0.0, 1.5)[..., None]
        hue = np.array([0.75, 0.8, 0.85]) if seed % 2 else np.array([0.5, 0.75, 0.9])
        return grey - 0.30 * vein * hue
    if identity.material == "granite":
        speckle = np.clip(0.5 + 0.5 * smooth_noise(rng, 180, MAP), 0.0, 1.0)[..., None]
        dark = np.clip(smooth_noise(rng, 190, MAP) - 0.6, 0.0, 1.0)[..., None]
        return grey - 0.14 * speckle - 0.16 * dark
    if identity.material == "sandstone":
        y, _ = np.indices((MAP, MAP), dtype=np.float32)
        layers = 0.5 + 0.5 * np.sin(y / 7.0 + 1.2 * smooth_noise(rng, 7, MAP))
        grain = np.clip(0.5 + 0.4 * smooth_noise(rng, 190, MAP), 0.0, 1.0)
        return grey - (0.10 * layers + 0.14 * grain)[..., None]
    if identity.material == "bronze":
        patina = np.clip(0.9 * clouds(rng, 7, MAP) - 0.7, 0.0, 1.0)[..., None]
        worn = np.clip(0.5 + 0.3 * smooth_noise(rng, 90, MAP), 0.0, 1.0)[..., None]
        amount = 0.2 + 0.6 * (seed % 7) / 6.0
        return (grey - 0.10 * worn) * (1.0 - amount * patina * (0.62, 0.18, 0.28))
    if identity.material == "wood":
        x, y = _map_centimetres()
        rings = 0.5 + 0.5 * np.sin(4.0 * (x + 0.6 * smooth_noise(rng, 5, MAP)) + 0.35 * y)
        fibres = combed(rng, np.full((MAP, MAP), np.pi / 2), 0.8, 40.0)
        return grey - np.clip(0.22 * rings + 0.06 * fibres + 0.08, 0.0, 0.6)[..., None] * (0.8, 1.0, 1.1)
    return grey - 0.10 * np.clip(0.5 + 0.4 * clouds(rng, 20, MAP, 4), 0.0, 1.0)[..., None]


@lru_cache(maxsize=1)
def hair_places() -> np.ndarray:
    """Where the vertices of a hair surface lie on its map, ``(HAIR_ROWS * HAIR_COLUMNS, 2)``: columns across, rows
    down."""
    across = np.tile(np.arange(HAIR_COLUMNS), HAIR_ROWS) * (HAIR_MAP * 3.0 / HAIR_COLUMNS)
    down = np.repeat(np.linspace(0.0, HAIR_MAP, HAIR_ROWS), HAIR_COLUMNS)
    return np.stack([across, down], axis=1)


@lru_cache(maxsize=24)
def hair_coat(identity: Identity) -> np.ndarray | None:
    """Strands that multiply the hair's colours, uint8 ``(HAIR_MAP, HAIR_MAP, 3)``, repeated around the head."""
    if identity.finish != "soft":
        return None
    rng = np.random.default_rng(identity.seed + 1)
    wave = {"wavy": 0.5, "curly": 0.7, "afro": 0.8}.get(identity.hair_style, 0.12)
    lean = np.pi / 2 + wave * smooth_noise(rng, 9, HAIR_MAP)
    fine = combed(rng, lean, 0.7, 48.0)
    broad = combed(rng, lean, 2.6, 64.0)
    depth = 0.8 if identity.material == "none" else 1.1
    coat = 1.0 - depth * np.clip(0.20 + 0.11 * fine + 0.10 * broad, 0.0, 0.6)
    return np.repeat((255.0 * coat.clip(0.0, 1.0)).astype(np.uint8)[..., None], 3, axis=2)


@lru_cache(maxsize=24)
def cloth_coat(identity: Identity) -> np.ndarray | None:
    """The pattern of clothes, uint8 ``(256, 256, 3)`` to repeat; None for plain ones."""
    if identity.pattern == "none":
        return None
    y, x = np.indices((256, 256), dtype=np.float32)
    rng = np.random.default_rng(identity.seed + 2)
    period = 256.0 / int(rng.integers(4, 14))
    wave_x, wave_y = np.sin(2 * np.pi * x / period), np.sin(2 * np.pi * y / period)
    if identity.pattern == "stripes":
        pattern = np.clip(4.0 * (wave_x if rng.random() < 0.5 else wave_y), 0.0, 1.0)
    elif identity.pattern == "checks":
        pattern = 0.5 * np.clip(4.0 * wave_x, 0.0, 1.0) + 0.5 * np.clip(4.0 * wave_y, 0.0, 1.0)
    elif identity.pattern == "dots":
        pattern = np.clip(5.0 * (wave_x * wave_y - 0.45), 0.0, 1.0)
    else:
        stitch = np.sin(2 * np.pi * (24 * y + 6 * np.abs((24 * x) % 256 - 128) / 8) / 256)
        pattern = 0.5 + 0.5 * np.sin(2 * np.pi * 24 * x / 256) * 0.6 + 0.2 * stitch
    coat = 1.0 - (0.42 if identity.pattern != "knit" else 0.3) * np.clip(pattern, 0.0, 1.0)
    return np.repeat((255.0 * coat).astype(np.uint8)[..., None], 3, axis=2)
