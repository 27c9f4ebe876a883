"""Transparent frames to make stickers of."""

import numpy as np


def face(index: int, count: int, size: tuple[int, int]) -> np.ndarray:
    """A shaded disc of softened edge with two blue eyes that blink and a mouth that opens, swaying once in `count`
    frames: uint8 (height, width, 4) of `size` (width, height)."""
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    unit = min(size) / 2
    phase = 2 * np.pi * index / count
    x = (columns - width / 2) / unit - 0.08 * np.sin(phase)
    y = (rows - height / 2) / unit
    layers = np.zeros((height, width, 4), np.float64)
    layers[..., 3] = 255 * np.clip((0.85 - np.hypot(x, y)) * unit / 2 + 0.5, 0, 1)
    layers[..., 0], layers[..., 1], layers[..., 2] = 235 - 30 * x, 180 - 40 * y, 120 + 20 * x
    for side in (-0.3, 0.3):
        layers[np.hypot(x - side, (y + 0.2) / (0.3 + 0.7 * np.cos(phase / 2) ** 2)) < 0.1, :3] = (40, 90, 200)
    mouth = np.hypot(x / 0.3, (y - 0.35) / (0.05 + 0.12 * np.sin(phase / 2) ** 2)) < 1
    layers[mouth, :3] = (150, 30, 40)
    return layers.round().clip(0, 255).astype(np.uint8)


def faces(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    return [face(index, count, size) for index in range(count)]


def noise(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """What no encoder makes small."""
    return list(np.random.default_rng(0).integers(0, 256, (count, size[1], size[0], 4), dtype=np.uint8))
