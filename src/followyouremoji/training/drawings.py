"""Training pictures: drawn portraits, drawn once into a folder of plain arrays and read from there by memory map.

A folder holds `pictures.npy` (identities, pictures, size, size, 3) uint8, `points.npy` (identities, pictures, 478, 2) float32 in pixels,
`drawings.json` with how it was drawn, and, once an autoencoder has read it, `latents.npy` (identities, pictures, channels, size / 8,
size / 8) float16 and `encoder.json` with that encoder's fingerprint. Picture 0 of an identity is any performance; in a folder of clips the others are successive frames.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from followyouremoji.errors import SettingsError
from followyouremoji.files import write_json
from followyouremoji.portraits import Identity, Performance, draw_portrait, expressive_motion, speech

CLIP_FRAME_RATES = (8.0, 25.0)  # keyframes far apart and close to each other are both seen in training


@dataclass(frozen=True)
class DrawingSettings:
    """What to draw: `identities` people of `pictures` pictures each; `clips` draws successive frames instead of single performances."""

    identities: int
    pictures: int
    size: int = 128
    seed: int = 0
    clips: bool = False


def performances(rng: np.random.Generator, settings: DrawingSettings) -> list[Performance]:
    """The performances of one identity; with clips, one random performance and then a motion."""
    if not settings.clips:
        return [Performance.random(rng) for _ in range(settings.pictures)]
    frame_rate = float(rng.uniform(*CLIP_FRAME_RATES))
    talks, frames = rng.random() < 0.4, settings.pictures - 1
    first = Performance.random(rng)
    motion = speech(rng, frames, frame_rate) if talks else expressive_motion(rng, frames, frame_rate)
    return [first, *motion]


def draw_identity(settings: DrawingSettings, index: int) -> tuple[np.ndarray, np.ndarray]:
    """All pictures (pictures, size, size, 3) and points (pictures, 478, 2) of identity `index`: a pure function of seed and index."""
    rng = np.random.default_rng((settings.seed, index))
    identity = Identity.random(rng)
    drawn = [
        draw_portrait(identity, performance, settings.size) for performance in performances(rng, settings)
    ]
    return np.stack([d.picture for d in drawn]), np.stack([d.points for d in drawn]).astype(np.float32)


def _draw_slice(folder: str, settings: DrawingSettings, start: int, stop: int) -> int:
    pictures = np.load(Path(folder) / "pictures.npy", mmap_mode="r+", allow_pickle=False)
    points = np.load(Path(folder) / "points.npy", mmap_mode="r+", allow_pickle=False)
    for index in range(start, stop):
        pictures[index], points[index] = draw_identity(settings, index)
    return stop - start


def draw_folder(folder: Path, settings: DrawingSettings, processes: int = 1) -> None:
    """Draw everything into `folder`; does nothing when it already holds the same drawings, and refuses to mix different ones."""
    described = folder / "drawings.json"
    if described.exists():
        if json.loads(described.read_text()) == asdict(settings):
            return
        raise SettingsError(f"{folder} holds other drawings; name another folder or delete it.")
    folder.mkdir(parents=True, exist_ok=True)
    shape = (settings.identities, settings.pictures)
    open_memmap(folder / "pictures.npy", "w+", np.uint8, (*shape, settings.size, settings.size, 3)).flush()
    open_memmap(folder / "points.npy", "w+", np.float32, (*shape, 478, 2)).flush()
    starts = range(0, settings.identities, 16)
    with ProcessPoolExecutor(processes) as pool:
        tasks = [
            pool.submit(_draw_slice, str(folder), settings, s, min(s + 16, settings.identities))
            for s in starts
        ]
        for task in tasks:
            task.result()
    write_json(described, asdict(settings))


@dataclass(frozen=True)
class Drawings:
    """A folder of drawings, memory-mapped. `latents` is None until an autoencoder has read the folder."""

    pictures: np.ndarray
    points: np.ndarray
    latents: np.ndarray | None

    @classmethod
    def open(cls, folder: Path) -> Drawings:
        if not (folder / "drawings.json").exists():
            raise SettingsError(f"{folder} holds no finished drawings; make them with `fye train draw`.")
        latents = folder / "latents.npy"
        return cls(
            np.load(folder / "pictures.npy", mmap_mode="r", allow_pickle=False),
            np.load(folder / "points.npy", mmap_mode="r", allow_pickle=False),
            np.load(latents, mmap_mode="r", allow_pickle=False) if latents.exists() else None,
        )

    def __len__(self) -> int:
        return len(self.pictures)
