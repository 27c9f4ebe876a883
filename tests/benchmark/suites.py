"""Folders of drawn portraits and clips, and a small suite that is built of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from followyouremoji.benchmark.building import BuildSettings, Built, build_suite
from followyouremoji.benchmark.lossless import write_lossless
from followyouremoji.executors import Local
from followyouremoji.portraits import Identity, Performance, draw_portrait, random_identity

SIDE = 192
FRAMES = 5


def somebody(seed: int) -> Identity:
    return random_identity(np.random.default_rng(seed), "person")


def draw_face(seed: int) -> np.ndarray:
    """uint8 (192, 192, 3)."""
    return draw_portrait(somebody(seed), Performance(), SIDE).picture


def draw_smile(seed: int, frames: int = FRAMES) -> np.ndarray:
    """uint8 (frames, 192, 192, 3)."""
    strengths = np.linspace(0.0, 1.0, frames)
    who = somebody(seed)
    return np.stack([draw_portrait(who, Performance.of("smile", one), SIDE).picture for one in strengths])


def write_picture(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def write_clip(path: Path, frames: np.ndarray, frame_rate: float = 25.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_lossless(path, frames, frame_rate)


def small_suite(folder: Path, settings: BuildSettings | None = None) -> Built:
    """Two portraits, one with a label, and a smile, in `folder`/suite."""
    write_picture(folder / "faces" / "people" / "Zoë 1.png", draw_face(17))
    write_picture(folder / "faces" / "b.webp", draw_face(3))
    (folder / "faces" / "labels.csv").write_text("file,style,licence,source\nb.webp,cartoon,CC0,a drawing\n")
    write_clip(folder / "moves" / "smile" / "first.mkv", draw_smile(17))
    settings = settings or BuildSettings(size=128, licence="MIT", source="our own")
    return build_suite(folder / "suite", [folder / "faces"], [folder / "moves"], settings, Local())
