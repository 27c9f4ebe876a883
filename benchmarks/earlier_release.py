"""Animate a suite's cases with this project as it was at commit a7bf01d, with its first bundled model.

    git worktree add /tmp/first a7bf01d
    PYTHONPATH=/tmp/first/src python benchmarks/earlier_release.py SUITE OUTPUT
    python benchmarks/bundled_model.py --methods ... first=frames:OUTPUT --output FOLDER

SUITE is the folder of a suite that `bundled_model.py` drew. Later releases make the warped portrait that a model starts
from in another way, so the first model's weights under today's code would not be the first model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from followyouremoji.animator import AnimationSettings, PortraitAnimator, Prepared
from followyouremoji.face.detection import Landmarks
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.face.motion import Motion
from followyouremoji.media.cropping import Crop


def animate(
    animator: PortraitAnimator, portrait: np.ndarray, own: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Frames uint8 (T, S, S, 3) of a portrait uint8 (S, S, 3) with landmarks (478, 2), driven by points (T, 478, 2), in
    its pixels."""
    size, crop = animator.model.config.picture_size, Crop(0.0, 0.0, float(len(portrait)))
    normalised = np.concatenate([points / len(portrait), np.zeros((*points.shape[:2], 1))], axis=-1)
    times = np.arange(len(points)) / 10.0
    extent = (len(portrait), len(portrait))
    prepared = Prepared(
        portrait=portrait,
        landmarks=Landmarks(normalised[0].astype(np.float32), extent),
        picture=crop.cut(portrait, size),
        crop=crop,
        points=crop.to_crop(points, size),
        reference_points=crop.to_crop(own, size),
        style=LandmarkStyle(antialiased=animator.model.config.antialiased_landmarks),
        paste_back=True,
        motion=Motion(
            normalised.astype(np.float32), times, 10.0, extent, "drawings", np.ones(len(times), bool), None
        ),
        gaps=None,
    )
    return np.stack(list(animator.frames(prepared, AnimationSettings())))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suite", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", default="bundled")
    options = parser.parse_args()
    animator = PortraitAnimator.from_pretrained(options.weights)
    options.output.mkdir(parents=True, exist_ok=True)
    for path in sorted(options.suite.glob("case_*.npz")):
        target = options.output / f"{path.stem}.npy"
        if target.exists():
            continue
        with np.load(path, allow_pickle=False) as case:
            frames = animate(animator, case["portrait"], case["portrait_points"], case["points"])
        temporary = target.with_suffix(".part.npy")
        np.save(temporary, frames)
        temporary.replace(target)


if __name__ == "__main__":
    main()
